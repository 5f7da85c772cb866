"""PostgreSQL's programs as children of ours: they end with the block that started them, and when we are killed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from greenroom import places, shell
from greenroom.interrupts import shielded
from greenroom.postgres.account import dies_with_us
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries
from greenroom.shell import Popen, TimeoutExpired

STOP_SECONDS = 5.0
ENGLISH = {"LC_ALL": "C"}  # of the programs' own words, where those are read


@contextmanager
def running(words: Sequence[str | Path], *, env: Mapping[str, str], **streams: Any) -> Iterator[Popen[bytes]]:
    """A child that ends with the block: PostgreSQL's programs roll back on SIGTERM. `streams` are Popen's."""
    process = shell.spawn([*dies_with_us(), *words], env={**ENGLISH, "PGAPPNAME": "greenroom", **env}, **streams)
    try:
        yield process
    finally:
        with shielded():
            end(process)


def psql(binaries: Binaries, address: Address, *more: str) -> list[str | Path]:
    """Words of a psql that tells of errors no more than the SQLSTATE: the server's words can quote rows."""
    words: list[str | Path] = [binaries.program("psql"), "--no-psqlrc", "--quiet", "--no-password"]
    return [*words, "--set=VERBOSITY=sqlstate", f"--dbname={address.conninfo}", *more]


def end(process: Popen[bytes]) -> None:
    """Terminate it, where it still runs, and close its streams."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


def nameless() -> BinaryIO:
    """A file without a name, on the disk of throw-away data: the kernel removes it with its last holder."""
    return tempfile.TemporaryFile(dir=places.scratch())


def words_in(file: BinaryIO) -> str:
    """What a child has written into a nameless file, from its beginning."""
    file.seek(0)
    return file.read(1 << 20).decode(errors="replace")
