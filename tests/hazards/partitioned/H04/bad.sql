DROP INDEX "shop_orderline_order_idx";
