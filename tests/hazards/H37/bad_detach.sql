-- The oldest events go: the table of all events is locked for it.
ALTER TABLE "shop_event" DETACH PARTITION "shop_event_1";
