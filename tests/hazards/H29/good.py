"""The comment alone, which blocks nobody."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    'COMMENT ON COLUMN "shop_order"."status" IS $$where it stands$$',
                    'COMMENT ON COLUMN "shop_order"."status" IS NULL',
                ),
            ],
            state_operations=[
                migrations.AlterField("order", "status", models.CharField(max_length=20, db_comment="where it stands")),
            ],
        ),
    ]
