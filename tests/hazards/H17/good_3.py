"""NOT NULL, which believes the check; then the check has done its work."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0003_good_2")]
    operations = [
        migrations.AlterField("order", "note", models.CharField(max_length=200)),
        migrations.RemoveConstraint("order", "shop_order_note_not_null"),
    ]
