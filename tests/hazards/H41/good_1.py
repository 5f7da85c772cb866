"""The column alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("customer", "country", models.CharField(max_length=2, null=True)),
    ]
