"""Running pg_restore, from a file or from a pipe of pg_dump: what it says while it works, and why it failed.

An error never repeats the server's words where they can quote rows of the data.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from greenroom import shell
from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres.account import dies_with_us
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.server import only_reading
from greenroom.shell import PIPE, Popen, TimeoutExpired

STOP_SECONDS = 5.0
MOST_JOBS = 8
ENGLISH = {"LC_ALL": "C"}  # of the programs' own words, which are read below

# what pg_restore of a newer version says to an older server, and what only an extension's owner may do
_HARMLESS = re.compile(r"SET transaction_timeout|COMMENT ON EXTENSION ")
# what an ordinary role may not do to things that are the superuser's, and that no migration meets
_HARMLESS_WITHOUT_SUPERUSER = re.compile(
    r"ALTER .* OWNER TO |COMMENT ON SCHEMA public|GRANT |REVOKE |ALTER DEFAULT PRIVILEGES |SET SESSION AUTHORIZATION "
)
_QUOTES_ROWS = re.compile(r"TABLE DATA|MATERIALIZED VIEW DATA|BLOB|LARGE OBJECT|INDEX|CONSTRAINT|SEQUENCE SET")
_ENTRY = re.compile(r"pg_restore: from TOC entry \d+; \d+ \d+ (?P<entry>.*)$")
_WORKING = re.compile(r"pg_restore: (?:processing (?:data for )?|creating )(?P<what>[\w ]+) (?P<name>\".*\")$")
_NO_ROOM = ("No space left on device", "Disk quota exceeded")


@dataclass
class Complaint:
    """An error of pg_restore: at which entry of the archive, in which words, for which command."""

    entry: str = ""
    words: str = ""
    command: str = ""


@dataclass
class Target:
    """The database that is restored into. `superuser`: whether every owner and privilege can be set."""

    address: Address
    superuser: bool
    label: str
    log: Path | None = None
    ownership: bool = True
    options: str = ""
    passed_over: list[str] = field(default_factory=list)

    def words(self, binaries: Binaries) -> list[str | Path]:
        """pg_restore's argv, without the archive; the password goes by `environment`."""
        owners = [] if self.ownership else ["--no-owner", "--no-acl"]
        words = [*owners, f"--dbname={self.address.conninfo}"]
        return [*dies_with_us(), binaries.program("pg_restore"), "--verbose", "--no-password", *words]

    @property
    def environment(self) -> dict[str, str]:
        """For pg_restore."""
        return {**ENGLISH, **self.address.password_environment, **({"PGOPTIONS": self.options} if self.options else {})}


def restore_file(archive: Path, target: Target, binaries: Binaries, progress: Progress) -> None:
    """Restore an archive with several jobs. Raises GreenroomError."""
    jobs = max(2, min(MOST_JOBS, os.cpu_count() or 1))
    words = [*target.words(binaries), f"--jobs={jobs}", archive]
    with _running(words, env=target.environment, stderr=PIPE) as restoring:
        _watch(restoring, target, progress, _cut_off_in(archive.name))
        _refuse_silent_failure(restoring, target)


def restore_from(source: Address, target: Target, binaries: Binaries, progress: Progress) -> None:
    """Dump the source, in one snapshot that cannot write, straight into the target. Raises GreenroomError."""
    reading = only_reading(source)
    words: list[str | Path] = [*dies_with_us(), binaries.program("pg_dump")]
    words += ["--format=custom", "--compress=0", "--no-password", f"--dbname={reading.conninfo}"]
    environment = {**ENGLISH, **source.password_environment}
    with (
        tempfile.TemporaryFile() as said,
        _running(words, env=environment, stdout=PIPE, stderr=said) as dumping,
        _running(target.words(binaries), env=target.environment, stdin=dumping.stdout, stderr=PIPE) as restoring,
    ):
        assert dumping.stdout is not None
        dumping.stdout.close()  # pg_restore alone holds it: when that ends, pg_dump is told
        _watch(restoring, target, progress, lambda: _dump_failed(dumping, said.fileno(), source))
        if dumping.wait() != 0:
            raise _dump_failed(dumping, said.fileno(), source)
        _refuse_silent_failure(restoring, target)


@contextmanager
def _running(words: Sequence[str | Path], *, env: dict[str, str], **streams: Any) -> Iterator[Popen[bytes]]:
    """A child that ends with the block: PostgreSQL's programs roll back on SIGTERM."""
    process = shell.spawn(words, env=env, **streams)
    try:
        yield process
    finally:
        with shielded():
            _end(process)


def _end(process: Popen[bytes]) -> None:
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


def _watch(restoring: Popen[bytes], target: Target, progress: Progress, cut_off: Callable[[], GreenroomError]) -> None:
    """Read what pg_restore says until it ends; the first complaint that matters ends it. Raises GreenroomError."""
    assert restoring.stderr is not None
    complaint = Complaint()
    for raw in restoring.stderr:
        line = raw.decode(errors="replace").rstrip("\n")
        if match := _WORKING.match(line):
            progress.detail(f"{match['what']} {match['name']}")
        elif match := _ENTRY.match(line):
            complaint = Complaint(entry=match["entry"])
        elif line.startswith("pg_restore: error: "):
            complaint.words = line.removeprefix("pg_restore: error: ")
            if not complaint.words.startswith("could not execute query"):
                raise _explained(complaint, target, cut_off)
        elif line.startswith("Command was: "):
            complaint.command = line.removeprefix("Command was: ")
            if not _passed_over(complaint, target):
                raise _explained(complaint, target, cut_off)


def _passed_over(complaint: Complaint, target: Target) -> bool:
    if _HARMLESS.match(complaint.command):
        return True
    if not target.superuser and _HARMLESS_WITHOUT_SUPERUSER.match(complaint.command):
        target.passed_over.append(complaint.entry)
        return True
    return False


def _refuse_silent_failure(restoring: Popen[bytes], target: Target) -> None:
    """pg_restore ends with 1 when it passed over errors, which were judged; with anything else it was ended."""
    code = restoring.wait()
    if code not in (0, 1):
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise GreenroomError(f"pg_restore into {target.label} ended with {how}.", "Run it again; is memory short?")


def _explained(complaint: Complaint, target: Target, cut_off: Callable[[], GreenroomError]) -> GreenroomError:
    logged = target.log.read_text(errors="replace") if target.log and target.log.exists() else ""
    if any(words in complaint.words or words in logged for words in _NO_ROOM):
        more = "set TMPDIR to a directory with more room" if target.log else "give another --server"
        return GreenroomError(
            f"the disk of {target.label} is full: the copy of the data does not fit.", f"Free some space, or {more}."
        )
    if not complaint.command and "ERROR:" not in complaint.words:
        return _lost(target) if "connection" in complaint.words else cut_off()
    entry = complaint.entry or "an unknown entry"
    reason = "" if _QUOTES_ROWS.match(entry) or not complaint.command else f": {_server_words(complaint.words)}"
    return GreenroomError(
        f"the data cannot be restored on {target.label}: it failed at {_readable(entry)}{reason}.",
        "pg_restore --exit-on-error of the same archive shows the server's own words, which can quote rows.",
    )


def _server_words(words: str) -> str:
    return words.partition("ERROR:")[2].strip().rstrip(".") or words.rstrip(".")


def _readable(entry: str) -> str:
    """`TABLE public t owner` without the owner, which is the last word."""
    return entry.rpartition(" ")[0] or entry


def _lost(target: Target) -> GreenroomError:
    return GreenroomError(
        f"the server {target.label} went away while the data was restored.", "Look into its log, then run again."
    )


def _cut_off_in(name: str) -> Callable[[], GreenroomError]:
    return lambda: GreenroomError(
        f"{name} is truncated or damaged: pg_restore cannot read on in it.",
        "Copy it again, or dump it again: pg_dump -Fc -f FILE DATABASE",
    )


def _dump_failed(dumping: Popen[bytes], said: int, source: Address) -> GreenroomError:
    """Why pg_dump ended: `permission denied for table ...` quotes no rows; the rest is not repeated."""
    with contextlib.suppress(TimeoutExpired):
        dumping.wait(STOP_SECONDS)
    os.lseek(said, 0, os.SEEK_SET)
    words = os.read(said, 1 << 16).decode(errors="replace")
    denied = re.search(r"permission denied for [\w ]+", words)
    reason = f": {denied[0]}" if denied else ""
    return GreenroomError(
        f"pg_dump of {source.database} on {source.server} failed{reason}.",
        "Use a role that may read everything (GRANT pg_read_all_data), or look with: pg_dump --schema-only DATABASE",
    )
