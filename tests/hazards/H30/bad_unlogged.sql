-- Lines that a crash may lose: without WAL from now on, but first they are written anew.
ALTER TABLE "shop_orderline" SET UNLOGGED;
