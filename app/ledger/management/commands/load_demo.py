"""`manage.py load_demo`: fills an empty ledger with demo data, at any migration since the demo's start."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from ledger.demo.load import CannotLoad, Filled, load


class Command(BaseCommand):
    help = "Fills an empty ledger with demo data, through the state of the migrations that are applied."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rows", type=int, default=1_000_000, help="statements to make (default: 1000000)")
        parser.add_argument("--seed", type=int, default=1, help="another number, another story (default: 1)")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help="alias of the database to fill")
        parser.add_argument("--if-empty", action="store_true", help="leave a ledger that has rows alone: no error")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["rows"] < 1:
            raise CommandError(f"--rows is {options['rows']}: it must be at least 1.", returncode=2)
        try:
            load(connections[options["database"]], options["rows"], options["seed"])
        except CannotLoad as error:
            if not (options["if_empty"] and isinstance(error, Filled)):
                raise CommandError(str(error), returncode=2) from error
            self.stdout.write("The ledger has rows already: nothing was loaded.")
        else:
            self.stdout.write(f"Loaded {options['rows']} statements.")
