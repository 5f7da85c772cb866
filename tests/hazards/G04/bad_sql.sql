-- Types that will be regretted.
ALTER TABLE "shop_customer" ADD COLUMN "extra" json, ADD COLUMN "born" timestamp, ADD COLUMN "country" char(2);
