-- No NULL among new visits.
ALTER TABLE "shop_visit" ADD CONSTRAINT "shop_visit_not_null" CHECK ("number" IS NOT NULL) NOT VALID;
