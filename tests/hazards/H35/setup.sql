CREATE TYPE "shop_channel" AS ENUM ('web', 'phone');
ALTER TABLE "shop_order" ADD COLUMN "channel" "shop_channel";
