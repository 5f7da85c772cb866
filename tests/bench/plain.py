"""Runs `migrate` with nobody watching, and prints the seconds it took: what a watched run is compared with."""

from __future__ import annotations

import sys
import time

import django
from django.core.management import call_command

django.setup()
start = time.monotonic()
call_command("migrate", *sys.argv[1:], verbosity=0, interactive=False)
print(time.monotonic() - start)
