-- The bounds as a check, for new events.
ALTER TABLE "shop_event_2" ADD CONSTRAINT "shop_event_2_bounds" CHECK ("id" >= 200001 AND "id" < 400001) NOT VALID;
