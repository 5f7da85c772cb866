"""The same column, and no longer than two seconds in the queue for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '2s'", migrations.RunSQL.noop),
        migrations.AddField("order", "comment", models.CharField(max_length=100, null=True)),
    ]
