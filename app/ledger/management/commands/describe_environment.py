"""`manage.py describe_environment`: the registry of environment variables, without any of them being set."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.environment import describe

SCHEMA_VERSION = 1


class Command(BaseCommand):
    help = "Prints every environment variable that the app knows; needs none of them."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the whole registry as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        variables = describe()
        if options["json"]:
            self.stdout.write(json.dumps({"schema_version": SCHEMA_VERSION, "variables": variables}, indent=2))
            return
        for variable in variables:
            marks = ", ".join(mark for mark in ("required", "secret") if variable[mark])
            self.stdout.write(f"{variable['name']} ({variable['type']}{', ' if marks else ''}{marks})")
            self.stdout.write(f"    {variable['description']}")
