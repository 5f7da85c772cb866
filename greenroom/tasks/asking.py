"""Asking a person before something is changed."""

from __future__ import annotations

import sys

from greenroom.errors import GreenroomError


def agreed(question: str, *, preview: bool = True) -> bool:
    """Whether the person at the terminal says yes. Raises GreenroomError where nobody sits there.

    `preview`: the task has `--dry-run`.
    """
    if not sys.stdin.isatty():
        only_see = ", or --dry-run to only see it" if preview else ""
        raise GreenroomError("nobody is there to ask.", f"Add --yes to do it{only_see}.")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
