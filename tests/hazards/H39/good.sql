-- The same, and no longer than two seconds in the queue for it.
SET LOCAL lock_timeout = '2s';
ALTER TABLE "shop_order" ENABLE ROW LEVEL SECURITY;
CREATE POLICY "shop_order_shipped" ON "shop_order" FOR SELECT USING ("status" <> 'state 0');
