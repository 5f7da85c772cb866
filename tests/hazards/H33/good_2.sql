-- None among the old ones, while writers go on.
ALTER TABLE "shop_visit" VALIDATE CONSTRAINT "shop_visit_not_null";
