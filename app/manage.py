#!/usr/bin/env python
"""Django's command line for the ledger. Without DJANGO_SETTINGS_MODULE it is plain Python's: `config.settings.test`."""

from __future__ import annotations

import os
import sys

WITHOUT_SETTINGS = ("check_environment", "describe_environment")


def main(argv: list[str]) -> None:
    from config.variables import BadEnvironment

    try:
        dispatch(argv)
    except BadEnvironment as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


def dispatch(argv: list[str]) -> None:
    """Django finds our commands through the settings; the registry must be readable where those cannot be loaded."""
    if argv[1:2] and argv[1] in WITHOUT_SETTINGS:
        from importlib import import_module

        from django.conf import settings

        settings.configure()
        import_module(f"ledger.management.commands.{argv[1]}").Command().run_from_argv(argv)
    else:
        from django.core.management import execute_from_command_line

        from config.values import settings_module

        os.environ["DJANGO_SETTINGS_MODULE"] = settings_module("config.settings.test")
        execute_from_command_line(argv)


if __name__ == "__main__":
    main(sys.argv)
