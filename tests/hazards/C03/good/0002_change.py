"""The column keeps its name."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("item", "note", "remark"),
                migrations.AlterField("item", "remark", models.CharField(max_length=100, null=True, db_column="note")),
            ],
        ),
    ]
