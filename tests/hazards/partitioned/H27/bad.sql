-- Another collation for an indexed column: the index of every partition is built anew.
ALTER TABLE "shop_orderline" ALTER COLUMN "remark" TYPE varchar(40) COLLATE "C";
