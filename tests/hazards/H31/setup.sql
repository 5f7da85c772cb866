CREATE MATERIALIZED VIEW "shop_sold" AS
    SELECT "product_id", sum("quantity") AS "quantity" FROM "shop_orderline" GROUP BY "product_id";
CREATE UNIQUE INDEX "shop_sold_product" ON "shop_sold" ("product_id");
ANALYZE "shop_sold";
