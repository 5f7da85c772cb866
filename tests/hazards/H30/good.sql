-- Space that dead rows had is free for new ones, and everybody goes on.
-- atomic: no
VACUUM (ANALYZE) "shop_order";
