"""Statements of documents that did not count calls were each called once; from now on every row says so."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0011_statement_slowest_first")]

    operations = [
        migrations.AlterField("statement", "calls", models.PositiveIntegerField(default=1)),
    ]
