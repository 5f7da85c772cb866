-- No weight is below zero: every parcel is looked at, and nobody writes meanwhile.
ALTER DOMAIN "shop_weight" ADD CONSTRAINT "shop_weight_check" CHECK (VALUE >= 0);
