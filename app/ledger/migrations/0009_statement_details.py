"""Documents now fold repeated statements (`calls`), name transaction and operation, and measure WAL.

One backfill touched more rows than an integer holds.
"""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0008_checks")]

    operations = [
        migrations.AddField("migrationrun", "atomic", models.BooleanField(default=True)),
        migrations.AddField("statement", "calls", models.PositiveIntegerField(null=True)),
        migrations.AddField("statement", "operation", models.PositiveIntegerField(null=True)),
        migrations.AddField("statement", "transaction", models.PositiveIntegerField(null=True)),
        migrations.AddField("statement", "wal_bytes", models.BigIntegerField(null=True)),
        migrations.AlterField("statement", "rows", models.BigIntegerField(null=True)),
        migrations.AddField(
            "lock",
            "polled",
            models.BooleanField(default=False, help_text="seen from outside, at intervals: the times are lower bounds"),
        ),
    ]
