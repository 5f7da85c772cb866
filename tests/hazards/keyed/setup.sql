-- What foreign keys may point to that is no column `id`: another unique column, and a primary key of another name.
ALTER TABLE shop_product ADD CONSTRAINT shop_product_sku_key UNIQUE (sku);
CREATE TABLE shop_depot (region smallint, code integer, PRIMARY KEY (code, region));
INSERT INTO shop_depot (region, code) SELECT 1, n FROM generate_series(1, 500) n;
ALTER TABLE shop_order ADD COLUMN sku varchar(20), ADD COLUMN depot integer, ADD COLUMN region smallint;
UPDATE shop_order SET sku = 'SKU' || id, depot = 1 + id % 500, region = 1;
CREATE INDEX ON shop_order (sku);
CREATE INDEX ON shop_order (depot, region);
VACUUM (FREEZE, ANALYZE);
