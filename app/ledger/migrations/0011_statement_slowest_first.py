"""The admin's list of the slowest statements sorts the whole table."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0010_statement_sqlstate")]

    operations = [
        migrations.AddIndex("statement", models.Index(fields=["-seconds"], name="statement_slowest_first")),
    ]
