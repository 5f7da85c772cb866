"""How much of the rows is there: complete tables, and what a pg_restore says of those under way."""

from __future__ import annotations

import re

import pytest

from greenroom.console import Display
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.arriving import Arriving, far
from greenroom.postgres.restoring import Target, watch
from greenroom.postgres.speakers import ALONE

SIZES = {"public.big": 80_000_000, "public.small": 15_000_000, "O d.x.Y": 5_000_000}


class Heard(Display):
    def __init__(self) -> None:
        self.details: list[str] = []

    def detail(self, text: str) -> None:
        self.details.append(text)


def told(said: list[str], rows: Arriving | None) -> list[str]:
    heard = Heard()

    def cut_off() -> GreenroomError:
        return GreenroomError("cut off")

    target = Target(Address("h", 1, "d", "u"), superuser=True, label="x", version_num=180000)
    watch([(ALONE, line.encode()) for line in said], target, heard, cut_off, rows)
    return [re.sub(r" MB · \d+ MB/s( · \d+ s left)?", "", detail) for detail in heard.details]


def test_one_after_the_other_is_complete_when_the_next_begins() -> None:
    rows = Arriving(SIZES)
    shares = []
    for table in ("O d.x.Y", "public.small", "public.big", "public.small"):
        rows.begins(table)
        shares.append(rows.share)
    assert shares == [0, 0.05, 0.2, 0.2]


def test_several_at_once_are_complete_when_each_ends() -> None:
    rows = Arriving(SIZES)
    rows.begins("public.big", alone=False)
    rows.begins("O d.x.Y", alone=False)
    assert rows.share == 0
    rows.ends("x.Y")
    rows.ends("nothing that is known")
    assert rows.share == 0.05
    rows.ends("big")
    assert rows.bytes == 85_000_000


def test_sizes_that_are_not_known_tell_nothing() -> None:
    rows = Arriving({})
    rows.begins("public.big")
    assert (rows.told(), rows.share) == ("", 0.0)


def test_far_tells_bytes_rate_and_time_left() -> None:
    assert far(50_000_000, 200_000_000, 10) == "50 of 200 MB · 5 MB/s · 30 s left"
    assert far(0, 200_000_000, 10) == "0 of 200 MB · 0 MB/s"
    assert far(210_000_000, 200_000_000, 10) == "210 of 200 MB · 21 MB/s · 0 s left"


def test_restore_by_one_session_tells_its_share() -> None:
    said = [
        'pg_restore: creating TABLE "public.big"',
        'pg_restore: processing data for table "O d.x.Y"',
        'pg_restore: processing data for table "public.big"',
        "",
    ]
    assert told(said, Arriving(SIZES)) == [
        '0 of 100 · TABLE "public.big"',
        '0 of 100 · table "O d.x.Y"',
        '5 of 100 · table "public.big"',
        '5 of 100 · table "public.big"',
    ]


def test_restore_by_several_sessions_tells_its_share() -> None:
    said = [
        "pg_restore: launching item 3343 TABLE DATA x.Y",
        "pg_restore: launching item 3344 TABLE DATA big",
        'pg_restore: processing data for table "O d.x.Y"',
        'pg_restore: processing data for table "public.big"',
        "pg_restore: finished item 3344 TABLE DATA big",
        "pg_restore: finished item 3343 TABLE DATA x.Y",
    ]
    assert [detail.split(" ")[0] for detail in told(said, Arriving(SIZES))] == ["0", "0", "0", "0", "80", "85"]


@pytest.mark.parametrize("rows", [None, Arriving({})])
def test_restore_of_unknown_sizes_tells_what_it_does(rows: Arriving | None) -> None:
    assert told(["", 'pg_restore: processing data for table "public.big"', ""], rows) == ['table "public.big"'] * 2
