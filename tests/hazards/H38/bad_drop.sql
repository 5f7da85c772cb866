-- A trigger goes: readers wait too.
DROP TRIGGER "shop_product_keep" ON "shop_product";
