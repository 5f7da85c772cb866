"""The column and its foreign key, without an index, and no longer than two seconds in the queue for both locks."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '2s'", migrations.RunSQL.noop),
        migrations.AddField(
            "orderline", "gift", models.ForeignKey("shop.Product", models.SET_NULL, "+", null=True, db_index=False)
        ),
    ]
