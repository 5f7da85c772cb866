"""A second key of the larger type beside the first, which a trigger fills for new products."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '2s'", migrations.RunSQL.noop),
        migrations.AddField("product", "id_new", models.BigIntegerField(null=True)),
        migrations.RunSQL(
            """
            CREATE FUNCTION shop_product_id_new() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN NEW.id_new = NEW.id; RETURN NEW; END$$;
            CREATE TRIGGER "shop_product_id_new" BEFORE INSERT OR UPDATE ON "shop_product"
            FOR EACH ROW EXECUTE FUNCTION shop_product_id_new()
            """,
            "DROP FUNCTION shop_product_id_new() CASCADE",
        ),
    ]
