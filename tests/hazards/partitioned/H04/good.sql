SET LOCAL lock_timeout = '2s';
DROP INDEX "shop_orderline_order_idx";
