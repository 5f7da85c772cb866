-- For the old ones, while writers go on.
ALTER TABLE "shop_event_2" VALIDATE CONSTRAINT "shop_event_2_bounds";
