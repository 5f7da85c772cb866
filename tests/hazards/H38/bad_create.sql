-- A trigger on the orders, and no limit to the wait for its lock.
CREATE TRIGGER "shop_order_keep" BEFORE UPDATE OF "status" ON "shop_order"
    FOR EACH ROW EXECUTE FUNCTION "shop_keep"();
