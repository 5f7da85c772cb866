"""`manage.py ingest_rehearsal FILE`: stores a rehearsal document."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ledger.document import MalformedDocument
from ledger.ingest import ingest


class Command(BaseCommand):
    help = "Stores a rehearsal document (rehearsal.json). Handed in again, it changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="rehearsal.json of a rehearsal")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        try:
            rehearsal, created = ingest(file.read_bytes())
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.", returncode=2) from error
        except MalformedDocument as error:
            raise CommandError(f"{file} cannot be stored: {error}.", returncode=2) from error
        outcome = "Stored" if created else "Already stored, nothing changed:"
        self.stdout.write(f"{outcome} rehearsal {rehearsal.identifier}, verdict {rehearsal.verdict}.")
