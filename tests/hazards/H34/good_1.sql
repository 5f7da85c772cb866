-- New weights are checked by the domain, which stays NOT VALID; the table has a check of its own to validate.
ALTER DOMAIN "shop_weight" ADD CONSTRAINT "shop_weight_check" CHECK (VALUE >= 0) NOT VALID;
ALTER TABLE "shop_parcel" ADD CONSTRAINT "shop_parcel_weight" CHECK ("weight" >= 0) NOT VALID;
