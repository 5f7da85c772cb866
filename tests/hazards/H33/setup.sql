-- Visits, as some tool has left them: unique, and without a primary key.
CREATE TABLE "shop_visit" AS SELECT n::bigint AS "number", 'page ' || n % 31 AS "page" FROM generate_series(1, 200000) n;
CREATE UNIQUE INDEX "shop_visit_number" ON "shop_visit" ("number");
VACUUM (FREEZE, ANALYZE) "shop_visit";
