"""Going back leaves the wider column: the code of before can live with it.

drills: back
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'ALTER TABLE "shop_order" ALTER COLUMN "note" TYPE varchar(300)', migrations.RunSQL.noop
                ),
            ],
            state_operations=[migrations.AlterField("order", "note", models.CharField(max_length=300, null=True))],
        ),
    ]
