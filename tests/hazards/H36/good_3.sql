-- The server believes the check.
ALTER TABLE "shop_event" ATTACH PARTITION "shop_event_2" FOR VALUES FROM (200001) TO (400001);
ALTER TABLE "shop_event_2" DROP CONSTRAINT "shop_event_2_bounds";
