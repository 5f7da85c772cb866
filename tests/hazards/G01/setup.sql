ALTER TABLE "shop_order" ADD CONSTRAINT "shop_order_referrer" FOREIGN KEY ("referrer_id") REFERENCES "shop_customer" ("id")
    DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX "shop_order_referrer" ON "shop_order" ("referrer_id");
