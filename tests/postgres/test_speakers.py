"""Telling apart what several processes write into one stderr."""

from __future__ import annotations

import subprocess
import sys

from greenroom.postgres.speakers import ALONE, Line, Speakers, alone

# the one that was started begins a line, another says a whole one, and then the first goes on
MIXED = """
import os
os.write(2, b"pg_restore: error: ")
if not (other := os.fork()):
    os.write(2, b"pg_restore: while PROCESSING TOC:\\n")
    os._exit(0)
os.waitpid(other, 0)
os.write(2, b"could not execute query\\nCommand was: x\\nrest")
"""


def said_by(script: str, seconds: float = 60) -> tuple[int, list[Line]]:
    with Speakers() as speakers, subprocess.Popen([sys.executable, "-c", script], stderr=speakers.mouth) as child:
        return child.pid, list(speakers.lines(seconds))


def test_pieces_of_a_line_are_put_together_by_who_wrote_them() -> None:
    first, lines = said_by(MIXED)
    assert [line for who, line in lines if who == first] == [
        b"pg_restore: error: could not execute query",
        b"Command was: x",
        b"rest",
    ]
    ((other, line),) = [(who, line) for who, line in lines if who != first]
    assert (other != ALONE, line) == (True, b"pg_restore: while PROCESSING TOC:")


def test_long_line_of_many_pieces_arrives_whole() -> None:
    _, lines = said_by("import os; [os.write(2, b'x' * 1024) for _ in range(500)]; os.write(2, b'\\n')")
    assert [len(line) for _, line in lines if line] == [500 * 1024]


def test_silence_is_told_while_it_lasts() -> None:
    _, lines = said_by("import time; time.sleep(0.3)", seconds=0.05)
    assert (ALONE, b"") in lines


def test_lines_of_a_file_are_of_one() -> None:
    assert list(alone([b"a\n", b"b"])) == [(ALONE, b"a"), (ALONE, b"b")]
