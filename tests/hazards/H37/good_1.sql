-- Room for more events: a table beside, attached when it is ready.
CREATE TABLE "shop_event_3" (LIKE "shop_event" INCLUDING ALL);
ALTER TABLE "shop_event" ATTACH PARTITION "shop_event_3" FOR VALUES FROM (200001) TO (300001);
