-- A trigger that is to sleep while stock is counted: nobody writes a product until the end.
SET LOCAL lock_timeout = '2s';
ALTER TABLE "shop_product" DISABLE TRIGGER "shop_product_keep";
UPDATE "shop_product" SET "stock" = "stock" + 1 WHERE "id" <= 500;
ALTER TABLE "shop_product" ENABLE TRIGGER "shop_product_keep";
