-- An index that seemed to serve no query: who deletes a customer now reads all orders.
-- atomic: no
DROP INDEX CONCURRENTLY "shop_order_referrer";
