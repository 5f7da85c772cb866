CREATE DOMAIN "shop_weight" AS integer;
CREATE TABLE "shop_parcel" AS
    SELECT n::bigint AS "id", (n % 900)::"shop_weight" AS "weight" FROM generate_series(1, 200000) n;
ALTER TABLE "shop_parcel" ADD PRIMARY KEY ("id");
VACUUM (FREEZE, ANALYZE) "shop_parcel";
