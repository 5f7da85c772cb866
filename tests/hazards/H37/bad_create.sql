-- Room for more events: the table of all events is locked for it.
CREATE TABLE "shop_event_3" PARTITION OF "shop_event" FOR VALUES FROM (200001) TO (300001);
