"""Rows that are made up keep apart: from all that are there, and from each other."""

from __future__ import annotations

import datetime
from itertools import pairwise
from types import SimpleNamespace

from greenroom.rehearsal.agent.values import Apart

FIELD = SimpleNamespace(choices=None, max_length=None)
FIRST, LAST = datetime.date(1980, 1, 1), datetime.date(2030, 1, 1)
WEEKS = datetime.timedelta(days=200)  # that a range of days may have, and none overlaps another


def test_rows_that_are_made_up_are_past_what_is_there_and_past_each_other() -> None:
    days = sorted(Apart().from_value(FIELD, FIRST, lambda: None) for _ in range(500))
    assert days[0] > LAST
    assert all(later - earlier > WEEKS for earlier, later in pairwise(days))
    assert days[-1] < datetime.date(3000, 1, 1)


def test_a_row_moves_as_a_whole() -> None:
    apart = Apart()
    begins, ends = (apart.from_value(FIELD, day, lambda: None) for day in (FIRST, LAST))
    assert ends - begins == LAST - FIRST
