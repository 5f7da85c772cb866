"""The suite `copies` of the bench, tiny: it says its figures, and a copy that lacks something is no copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.server import connect
from tests.bench import copies
from tests.bench.copies import source
from tests.bench.copies.sides import Copy, Script


@pytest.mark.full
def test_every_side_of_the_bench_copies_all(capsys: pytest.CaptureFixture[str]) -> None:
    copies.run(copies.Extent(big={32: 1.0}, small=28, tables=12, runs=1))
    said = capsys.readouterr().out
    for words in ("ours against plain script: ", "ours against pgcopydb clone: ", "its dump over SSH", "in 12 tables"):
        assert words in said


@pytest.mark.full
def test_copy_of_the_bench_that_lacks_a_row_is_found(tmp_path: Path) -> None:
    class Losing(Script):
        @contextmanager
        def copied(self, source: Address) -> Iterator[Copy]:
            with super().copied(source) as copy, connect(copy.address) as connection:
                connection.execute("DELETE FROM wide_007 WHERE id = 1")
                yield copy

    programs = of_major(copies.MAJOR)
    other = pytest.raises(AssertionError, match="plain script: its copy is another database")
    with source.made(programs, 28, 12) as database, other:
        copies.in_turn(database, [Losing(programs, tmp_path)], 1)
