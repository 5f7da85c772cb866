"""A field that is indexed: two indexes of every partition, one for LIKE alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.AddField("orderline", "note", models.CharField(max_length=40, null=True))]
        ),
        migrations.AlterField("orderline", "note", models.CharField(max_length=40, null=True, db_index=True)),
    ]
