"""`manage.py check_environment`: what a container would say of variables that are not this process's own."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.environment import check

SCHEMA_VERSION = 1


class Command(BaseCommand):
    help = "Reads {variable: value} as JSON from standard input, prints what is wrong with them, and shows no value."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            values = json.load(sys.stdin)
        except ValueError:
            values = None
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise CommandError("standard input is not a JSON object of strings.", returncode=2)
        problems = [problem._asdict() for problem in check(values)]
        self.stdout.write(json.dumps({"schema_version": SCHEMA_VERSION, "problems": problems}, indent=2))
