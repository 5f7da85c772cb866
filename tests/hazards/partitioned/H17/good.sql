-- atomic: no
ALTER TABLE "shop_orderline" ADD CONSTRAINT "note_not_null" CHECK ("note" IS NOT NULL) NOT VALID;
ALTER TABLE "shop_orderline" VALIDATE CONSTRAINT "note_not_null";
ALTER TABLE "shop_orderline" ALTER COLUMN "note" SET NOT NULL;
ALTER TABLE "shop_orderline" DROP CONSTRAINT "note_not_null";
