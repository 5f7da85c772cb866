-- The server believes the check, and the key believes NOT NULL: nothing is read.
ALTER TABLE "shop_visit" ALTER COLUMN "number" SET NOT NULL;
ALTER TABLE "shop_visit" ADD CONSTRAINT "shop_visit_pkey" PRIMARY KEY USING INDEX "shop_visit_number";
ALTER TABLE "shop_visit" DROP CONSTRAINT "shop_visit_not_null";
