"""Asking a person before something is changed."""

from __future__ import annotations

import sys

from greenroom.errors import GreenroomError


def agreed(question: str) -> bool:
    """Whether the person at the terminal says yes. Raises GreenroomError where nobody sits there."""
    if not sys.stdin.isatty():
        raise GreenroomError("nobody is there to ask.", "Add --yes to do it, or --dry-run to only see it.")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
