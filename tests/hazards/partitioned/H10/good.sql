-- atomic: no
ALTER TABLE "shop_orderline" ADD CONSTRAINT "shop_line_quantity" CHECK ("quantity" >= 0) NOT VALID;
ALTER TABLE "shop_orderline" VALIDATE CONSTRAINT "shop_line_quantity";
