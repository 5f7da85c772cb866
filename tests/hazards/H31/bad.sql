-- What was sold, counted anew: nobody reads the old figures meanwhile.
REFRESH MATERIALIZED VIEW "shop_sold";
