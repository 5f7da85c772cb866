-- In its place one that begins with the foreign key, and serves queries too.
-- atomic: no
CREATE INDEX CONCURRENTLY "shop_order_referrer_status" ON "shop_order" ("referrer_id", "status");
DROP INDEX CONCURRENTLY "shop_order_referrer";
