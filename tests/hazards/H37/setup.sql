CREATE TABLE "shop_event" ("id" bigint NOT NULL PRIMARY KEY, "what" text) PARTITION BY RANGE ("id");
CREATE TABLE "shop_event_1" PARTITION OF "shop_event" FOR VALUES FROM (1) TO (100001);
CREATE TABLE "shop_event_2" PARTITION OF "shop_event" FOR VALUES FROM (100001) TO (200001);
INSERT INTO "shop_event" SELECT n, 'event ' || n FROM generate_series(1, 200000) n;
VACUUM (FREEZE, ANALYZE) "shop_event";
