-- More events: each is compared with the bounds, and nobody reads or writes them meanwhile.
ALTER TABLE "shop_event" ATTACH PARTITION "shop_event_2" FOR VALUES FROM (200001) TO (400001);
