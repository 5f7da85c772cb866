-- The trigger alone, and no longer than two seconds in the queue for it.
SET LOCAL lock_timeout = '2s';
CREATE TRIGGER "shop_order_keep" BEFORE UPDATE OF "status" ON "shop_order"
    FOR EACH ROW EXECUTE FUNCTION "shop_keep"();
