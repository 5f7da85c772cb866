"""Believable rehearsal documents of every kind, for the tests of the views."""

from __future__ import annotations

from collections.abc import Callable

from greenroom.rehearsal.document import Rehearsal
from tests.rehearsal.example_parts import AX, INDEX_TWIN, recorded
from tests.rehearsal.examples_broken import broken, hung
from tests.rehearsal.examples_finished import failed, hinted, nothing_pending, passed, warned
from tests.rehearsal.examples_monster import monster

__all__ = [
    "ALL",
    "AX",
    "INDEX_TWIN",
    "broken",
    "failed",
    "hinted",
    "hung",
    "monster",
    "nothing_pending",
    "passed",
    "recorded",
    "warned",
]

ALL: dict[str, Callable[[], Rehearsal]] = {
    example.__name__: example for example in (passed, warned, failed, hinted, broken, hung, nothing_pending, monster)
}
