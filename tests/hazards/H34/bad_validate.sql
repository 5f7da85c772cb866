-- The same in two steps: for a domain, VALIDATE stops writers as well.
-- atomic: no
ALTER DOMAIN "shop_weight" ADD CONSTRAINT "shop_weight_check" CHECK (VALUE >= 0) NOT VALID;
ALTER DOMAIN "shop_weight" VALIDATE CONSTRAINT "shop_weight_check";
