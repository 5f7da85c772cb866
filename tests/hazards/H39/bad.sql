-- Who may see which order: a moment's work, and no limit to the wait for its lock.
ALTER TABLE "shop_order" ENABLE ROW LEVEL SECURITY;
CREATE POLICY "shop_order_shipped" ON "shop_order" FOR SELECT USING ("status" <> 'state 0');
