"""The list, newest first and by branch, and the history of one migration or hazard, became slow without them."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_fill_rehearsal_totals")]

    operations = [
        migrations.AddIndex("rehearsal", models.Index(fields=["-created_at", "-id"], name="rehearsal_newest_first")),
        migrations.AddIndex(
            "rehearsal", models.Index(fields=["git_branch", "-created_at"], name="rehearsal_of_branch")
        ),
        migrations.AddIndex("migrationrun", models.Index(fields=["app_label", "name"], name="migrationrun_by_name")),
        migrations.AddIndex("finding", models.Index(fields=["hazard", "severity"], name="finding_by_hazard")),
    ]
