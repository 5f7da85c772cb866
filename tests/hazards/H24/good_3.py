"""The two columns swap their names."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0003_good_2")]
    operations = [
        migrations.RenameField("product", "stock", "stock_old"),
        migrations.RenameField("product", "stock_new", "stock"),
    ]
