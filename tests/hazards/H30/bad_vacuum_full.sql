-- Space that dead rows had is given back: the same, outside of a transaction.
-- atomic: no
VACUUM (FULL, ANALYZE) "shop_order";
