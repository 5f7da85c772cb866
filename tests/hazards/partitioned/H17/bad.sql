ALTER TABLE "shop_orderline" ALTER COLUMN "note" SET NOT NULL;
