"""A trigger that computes it for new rows, and no longer than two seconds in the queue for its lock."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_good_1")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '2s'", migrations.RunSQL.noop),
        migrations.RunSQL(
            """
            CREATE FUNCTION shop_orderline_pieces() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN NEW.pieces = NEW.quantity * 2; RETURN NEW; END$$
            """,
            "DROP FUNCTION shop_orderline_pieces()",
        ),
        migrations.RunSQL(
            'CREATE TRIGGER "shop_orderline_pieces" BEFORE INSERT OR UPDATE ON "shop_orderline"'
            " FOR EACH ROW EXECUTE FUNCTION shop_orderline_pieces()",
            'DROP TRIGGER "shop_orderline_pieces" ON "shop_orderline"',
        ),
    ]
