"""`manage.py check_environment`: what a container would say of variables that are not this process's own."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.values import check

SCHEMA_VERSION = 1


class Command(BaseCommand):
    help = (
        "Reads a JSON list of {variable: value} from standard input, and prints what is wrong with each of them, "
        "were it all that a container is given; shows no value."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            given = json.load(sys.stdin)
        except ValueError:
            given = None
        if not isinstance(given, list) or not all(is_environment(values) for values in given):
            raise CommandError("standard input is not a JSON list of objects of strings.", returncode=2)
        problems = [[problem._asdict() for problem in check(values)] for values in given]
        self.stdout.write(json.dumps({"schema_version": SCHEMA_VERSION, "problems": problems}, indent=2))


def is_environment(values: object) -> bool:
    return isinstance(values, dict) and all(isinstance(value, str) for value in values.values())
