-- Its first use.
UPDATE "shop_order" SET "channel" = 'app' WHERE "id" <= 100;
