"""The same for the lines that refer to products."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_1_key")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '2s'", migrations.RunSQL.noop),
        migrations.AddField("orderline", "product_new", models.BigIntegerField(null=True)),
        migrations.RunSQL(
            """
            CREATE FUNCTION shop_orderline_product_new() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN NEW.product_new = NEW.product_id; RETURN NEW; END$$;
            CREATE TRIGGER "shop_orderline_product_new" BEFORE INSERT OR UPDATE ON "shop_orderline"
            FOR EACH ROW EXECUTE FUNCTION shop_orderline_product_new()
            """,
            "DROP FUNCTION shop_orderline_product_new() CASCADE",
        ),
    ]
