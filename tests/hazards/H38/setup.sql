CREATE FUNCTION "shop_keep"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER "shop_product_keep" BEFORE UPDATE ON "shop_product" FOR EACH ROW EXECUTE FUNCTION "shop_keep"();
