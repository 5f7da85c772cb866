"""A release knows its image and what became of it; a rehearsal knows the release that it was for."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_rehearsal_indexes")]

    operations = [
        migrations.AddField(
            "release",
            "image_digest",
            models.CharField(blank=True, default="", help_text="sha256:… of the image that was pushed", max_length=71),
            preserve_default=False,
        ),
        migrations.AddField(
            "release",
            "status",
            models.CharField(
                choices=[("built", "built"), ("deployed", "deployed"), ("rolled back", "rolled back")],
                default="built",
                max_length=20,
            ),
        ),
        migrations.AddField("release", "deployed_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "rehearsal",
            "release",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="rehearsals",
                to="ledger.release",
            ),
        ),
    ]
