-- The new channel.
ALTER TYPE "shop_channel" ADD VALUE 'app';
