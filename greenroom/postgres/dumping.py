"""pg_dump: the one place that knows its argv."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.postgres import dump_failure, lock_wait, workers
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.children import nameless, running, words_in
from greenroom.postgres.server import only_reading
from greenroom.shell import Popen, TimeoutExpired

POLL_SECONDS = 0.1
NAMED_METHODS = 16  # `--compress=METHOD:LEVEL` is known from here on; before, a number is gzip's level
UNCOMPRESSED, GZIP = "0", "1"
SQL_ASCII = "SQL_ASCII"  # of a database that knows no letters, only bytes

Relation = str | tuple[str, str]


def dump_words(
    program: str | Path,
    conninfo: str,
    exclude_data: Sequence[Relation] = (),
    *,
    compress: str,
    snapshot: str | None = None,
    encoding: str | None = None,
    options: Sequence[str] = (),
) -> list[str]:
    """The argv of a pg_dump in custom format to its standard output, here or on another host; it holds no password.

    `exclude_data` are exact names, `schema.table` or both parts by themselves, of tables that come without rows;
    `compress` is `0` (not at all), a level of gzip, or `METHOD:LEVEL` where pg_dump is 16 or newer. Subscriptions stay
    behind: a copy must never receive what is meant for the source, and could not be dropped with one. For a table that
    somebody has locked it waits for LOCK_WAIT_SECONDS, no longer: who comes after it waits for it too. `encoding` is
    the database's; None: that of its role, which may not have all its letters. `options` are of `leaving`.
    """
    words = [str(program), "--format=custom", f"--compress={compress}", "--no-password", "--no-subscriptions"]
    words += [f"--lock-wait-timeout={lock_wait.LOCK_WAIT_SECONDS:g}s"]
    words += [f"--snapshot={snapshot}"] if snapshot else []
    words += [f"--encoding={_spoken(encoding, exclude_data)}"] if encoding else []
    words += [f"--exclude-table-data={pattern}" for name in exclude_data for pattern in _patterns(name)]
    return [*words, *options, f"--dbname={conninfo}"]


def leaving(*, large_objects: bool, cron: bool) -> list[str]:
    """pg_dump's words for what stays in the source beside rows of tables: `cron` are pg_cron's, of any user's jobs."""
    words = ["--no-blobs"] if large_objects else []  # from 16 on also as --no-large-objects
    return [*words, f"--exclude-table-data={workers.CRONS_SCHEMA}.*"] if cron else words


def compression(client: Binaries) -> str:
    """The fastest that this pg_dump and its pg_restore know."""
    if client.major >= NAMED_METHODS:
        return next((f"{method}:1" for method in ("zstd", "lz4") if client.reads(method)), GZIP)
    return GZIP


def dump_file(
    source: Address, path: Path, client: Binaries, progress: Progress, *, exclude_data: Sequence[Relation] = ()
) -> None:
    """Dump the source, in one snapshot that cannot write, into `path`: custom format, readable by its owner alone.

    A file that is there already is replaced; one that could not be finished is removed. Raises GreenroomError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            dump_into(file, source, client, progress, exclude_data, compress=compression(client))
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def dump_into(
    file: BinaryIO,
    source: Address,
    client: Binaries,
    progress: Progress,
    exclude_data: Sequence[Relation],
    *,
    compress: str,
    snapshot: str | None = None,
    encoding: str | None = None,
    options: Sequence[str] = (),
    only_schema: bool = False,
    meanwhile: Callable[[], None] | None = None,
) -> None:
    """The same, into an open file, which may be nameless; `meanwhile` is called when it has begun.

    Raises GreenroomError.
    """
    reading = only_reading(source).conninfo
    words = dump_words(
        client.program("pg_dump"),
        reading,
        exclude_data,
        compress=compress,
        snapshot=snapshot,
        encoding=encoding,
        options=options,
    )
    words += ["--schema-only"] if only_schema else []
    with dumping(words, source, file) as (child, failed):
        if meanwhile:
            meanwhile()
        meter = _Meter(progress)
        while (code := _ended(child)) is None:
            meter.show(os.fstat(file.fileno()).st_size)
        if code != 0:
            raise failed()


def left_behind(subscriptions: Sequence[str], servers: Sequence[str], *, cron: bool = False) -> list[str]:
    """The notes on what is in the source and not in the copy: subscriptions, user mappings of `servers`, pg_cron."""
    notes = []
    if subscriptions:
        many = "s" if len(subscriptions) > 1 else ""
        notes.append(
            f"not copied: the subscription{many} {', '.join(subscriptions)}, so that the copy receives nothing"
        )
    if servers:
        many = "s" if len(servers) > 1 else ""
        named = f"the foreign server{many} {', '.join(servers)}"
        notes.append(f"not copied: user mappings for {named}, so that the copy reads and writes nothing there")
    return [*notes, workers.WITHOUT_CRON] if cron else notes


@contextmanager
def dumping(
    words: Sequence[str], source: Address, output: BinaryIO | int
) -> Iterator[tuple[Popen[bytes], Callable[[], GreenroomError]]]:
    """A pg_dump that writes to `output` (a file or PIPE) for as long as the block lasts, and what its failure means."""
    with (
        nameless() as said,
        running(words, env=source.password_environment, stdout=output, stderr=said) as child,
    ):
        yield child, lambda: dump_failure.failure(words_in(said), source)


def _spoken(encoding: str, names: Sequence[Relation]) -> str:
    """In which pg_dump speaks: in an argv names are UTF-8, and it looks for them as they stand there."""
    plain = all(part.isascii() for name in names for part in ([name] if isinstance(name, str) else name))
    return encoding if plain or encoding == SQL_ASCII else "UTF8"


def _patterns(relation: Relation) -> Iterator[str]:
    """pg_dump takes patterns: quoted, a name stands for itself. A dot within a name leaves more than one reading."""
    if not isinstance(relation, str):
        yield ".".join('"{}"'.format(part.replace('"', '""')) for part in relation)
        return
    parts = relation.split(".")
    for cut in range(1, len(parts)):
        yield from _patterns((".".join(parts[:cut]), ".".join(parts[cut:])))


def _ended(child: Popen[bytes]) -> int | None:
    try:
        return child.wait(POLL_SECONDS)
    except TimeoutExpired:
        return None


class _Meter:
    """Bytes so far and the rate."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._began = progress, time.monotonic()

    def show(self, size: int) -> None:
        rate = size / max(time.monotonic() - self._began, POLL_SECONDS)
        self._progress.detail(f"{size / 1e6:.0f} MB · {rate / 1e6:.1f} MB/s")
