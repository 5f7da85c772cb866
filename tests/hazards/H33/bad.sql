-- The index becomes the primary key: its column must be NOT NULL, so every visit is looked at.
ALTER TABLE "shop_visit" ADD CONSTRAINT "shop_visit_pkey" PRIMARY KEY USING INDEX "shop_visit_number";
