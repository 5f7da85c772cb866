-- The old weights, while writers go on.
ALTER TABLE "shop_parcel" VALIDATE CONSTRAINT "shop_parcel_weight";
