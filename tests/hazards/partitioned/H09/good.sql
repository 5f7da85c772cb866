-- atomic: no
CREATE UNIQUE INDEX CONCURRENTLY "line_once_a" ON "shop_orderline_a" ("id") WHERE "quantity" > 0;
CREATE UNIQUE INDEX CONCURRENTLY "line_once_b" ON "shop_orderline_b" ("id") WHERE "quantity" > 0;
CREATE UNIQUE INDEX CONCURRENTLY "line_once_c0" ON "shop_orderline_c0" ("id") WHERE "quantity" > 0;
CREATE UNIQUE INDEX CONCURRENTLY "line_once_c1" ON "shop_orderline_c1" ("id") WHERE "quantity" > 0;
CREATE UNIQUE INDEX CONCURRENTLY "line_once_rest" ON "shop_orderline_rest" ("id") WHERE "quantity" > 0;
CREATE UNIQUE INDEX "shop_line_once" ON "shop_orderline" ("id") WHERE "quantity" > 0;
