CREATE VIEW "shop_noted" AS SELECT "id", "note" FROM "shop_order" WHERE "note" IS NOT NULL;
CREATE VIEW "shop_notes" AS SELECT count(*) AS "notes" FROM "shop_noted";
