-- The oldest events go, and everybody goes on.
-- atomic: no
ALTER TABLE "shop_event" DETACH PARTITION "shop_event_1" CONCURRENTLY;
