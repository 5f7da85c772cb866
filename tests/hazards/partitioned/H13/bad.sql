ALTER TABLE "shop_orderline" ADD CONSTRAINT "shop_line_product_fk" FOREIGN KEY ("product_id")
    REFERENCES "shop_product" ("id") DEFERRABLE INITIALLY DEFERRED;
