"""Why a statement failed. The database keeps the default, so that the release that is still running can insert."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0009_statement_details")]

    operations = [
        migrations.AddField("statement", "sqlstate", models.CharField(blank=True, db_default="", max_length=5)),
    ]
