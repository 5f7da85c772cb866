#!/usr/bin/env python
"""Django's command line for the ledger. Without DJANGO_SETTINGS_MODULE it is plain Python's: `config.settings.test`."""

from __future__ import annotations

import os
import sys


def main(argv: list[str]) -> None:
    from config.environment import BadEnvironment

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    try:
        dispatch(argv)
    except BadEnvironment as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def dispatch(argv: list[str]) -> None:
    """Django finds our commands through the settings; the registry must be readable where those cannot be loaded."""
    if argv[1:2] == ["describe_environment"]:
        from django.conf import settings

        from ledger.management.commands.describe_environment import Command

        settings.configure()
        Command().run_from_argv(argv)
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line(argv)


if __name__ == "__main__":
    main(sys.argv)
