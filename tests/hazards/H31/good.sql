-- What was sold, counted anew beside the old figures.
-- atomic: no
SET lock_timeout = '2s';
REFRESH MATERIALIZED VIEW CONCURRENTLY "shop_sold";
RESET lock_timeout;
