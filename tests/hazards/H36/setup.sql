CREATE TABLE "shop_event" ("id" bigint NOT NULL PRIMARY KEY, "what" text) PARTITION BY RANGE ("id");
CREATE TABLE "shop_event_1" PARTITION OF "shop_event" FOR VALUES FROM (1) TO (200001);
CREATE TABLE "shop_event_2" (LIKE "shop_event" INCLUDING ALL);
INSERT INTO "shop_event" SELECT n, 'event ' || n FROM generate_series(1, 200000) n;
INSERT INTO "shop_event_2" SELECT n, 'event ' || n FROM generate_series(200001, 400000) n;
VACUUM (FREEZE, ANALYZE) "shop_event_1", "shop_event_2";
ANALYZE "shop_event";
