-- A new channel, used at once.
ALTER TYPE "shop_channel" ADD VALUE 'app';
UPDATE "shop_order" SET "channel" = 'app' WHERE "id" <= 100;
