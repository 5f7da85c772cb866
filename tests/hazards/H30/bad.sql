-- The orders in the order of their keys: all of them are written anew, and nobody reads or writes meanwhile.
CLUSTER "shop_order" USING "shop_order_pkey";
