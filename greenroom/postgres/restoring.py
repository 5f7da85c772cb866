"""Running pg_restore, from a file or from a pipe of pg_dump: what it says while it works, and why it failed.

An error never repeats the server's words where they can quote rows of the data.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.postgres import event_triggers
from greenroom.postgres.address import Address
from greenroom.postgres.arriving import Arriving, arriving
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.children import ENGLISH, nameless, running
from greenroom.postgres.complaints import Complaint, of_archive, own, passed_over
from greenroom.postgres.restore_progress import Working
from greenroom.postgres.server import unhindered, with_options
from greenroom.postgres.speakers import Line, Speakers
from greenroom.shell import Popen

MOST_JOBS = 8
TELL_SECONDS = 1.0

_QUOTES_ROWS = re.compile(r"TABLE DATA|MATERIALIZED VIEW DATA|BLOB|LARGE OBJECT|INDEX|CONSTRAINT|SEQUENCE SET")
_HOLDS_ROWS = re.compile(r"(?:FK )?CONSTRAINT|CHECK CONSTRAINT|INDEX")
_ENTRY = re.compile(r"pg_restore: from TOC entry \d+; \d+ \d+ (?P<entry>.*)$")
_DISK_FULL = "53100"
_SHORT = "Run it again; is memory short?"
_NO_ROOM = ("No space left on device", "Disk quota exceeded", "could not extend file")


@dataclass
class Target:
    """The database that is restored into. `superuser`: whether every owner and privilege can be set.

    `version_num` is its server's. `sizes` are bytes of the rows that will come, by `schema.table`, where they are
    known; `packed` says how many bytes of rows one of these is. `strange` are tablespaces of the source's that the
    server has not, or the role may not use: then all lies in the database's own. `unfilled` are materialised views
    whose query fails on the copy, `unmade` is what only a superuser could make, and `without_cron` what depends on
    pg_cron. `masked`: rows were changed since they came. `data` is the server's data directory, where it is of ours and
    on this machine.
    """

    address: Address
    superuser: bool
    label: str
    version_num: int
    log: Path | None = None
    ownership: bool = True
    strange: Sequence[str] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    packed: float = 1.0
    passed_over: list[str] = field(default_factory=list)
    unfilled: list[str] = field(default_factory=list)
    unmade: list[str] = field(default_factory=list)
    without_cron: list[str] = field(default_factory=list)
    masked: bool = False
    data: Path | None = None

    def words(self, binaries: Binaries) -> list[str | Path]:
        """pg_restore's argv, without the archive; the password goes by `environment`."""
        owners = [] if self.ownership else ["--no-owner", "--no-acl"]
        places = ["--no-tablespaces"] if self.strange else []
        words = [*owners, *places, f"--dbname={self.writing.conninfo}"]
        return [binaries.program("pg_restore"), "--verbose", "--no-password", "--no-subscriptions", *words]

    @property
    def writing(self) -> Address:
        """For programs that write there; event triggers that are made there keep a superuser from nothing."""
        writing = unhindered(self.address, self.version_num)
        free = self.superuser and self.version_num >= event_triggers.SETTING
        return with_options(writing, event_triggers.OFF) if free else writing

    @property
    def notes(self) -> list[str]:
        """What of the source could not be given to it."""
        told = {
            f"{len(self.passed_over)} owners, privileges or comments could not be set": self.passed_over,
            f"not made, as only a superuser may: {', '.join(dict.fromkeys(self.unmade))}": self.unmade,
            f"not copied, as it depends on pg_cron or is of its schema: {', '.join(self.without_cron)}": (
                self.without_cron
            ),
            f"not filled: {', '.join(self.unfilled)}; REFRESH MATERIALIZED VIEW fails here, as after pg_restore": (
                self.unfilled
            ),
            f"all lies in the database's own tablespace: {', '.join(self.strange)} cannot be used on {self.label}": (
                self.strange
            ),
        }
        return [note for note, any_of_it in told.items() if any_of_it]

    @property
    def environment(self) -> dict[str, str]:
        """For pg_restore."""
        return {**ENGLISH, **self.address.password_environment}


@dataclass(frozen=True)
class Stored:
    """An archive in which pg_restore can seek: `path` is how it opens it, `descriptor` is set where it has no name."""

    path: Path
    name: str
    descriptor: int | None = None

    @classmethod
    def nameless(cls, descriptor: int, name: str) -> Stored:
        """One in an open file that no directory lists: each child that gets the descriptor opens it anew."""
        return cls(Path(f"/dev/fd/{descriptor}"), name, descriptor)

    @property
    def table(self) -> Path:
        """The file with its table of contents."""
        return self.path / "toc.dat" if self.path.is_dir() else self.path


def jobs() -> int:
    """How many sessions restore at once: as many as there are processors, within reason."""
    return max(2, min(MOST_JOBS, os.cpu_count() or 1))


def restore_section(
    stored: Stored,
    target: Target,
    binaries: Binaries,
    progress: Progress,
    section: str,
    *,
    jobs: int = 1,
    only: Iterable[int] | None = None,
) -> None:
    """One of `pre-data`, `data` and `post-data`, or of that the entries of these numbers. Raises GreenroomError."""
    with nameless() as chosen:
        if only is not None:
            chosen.write("".join(f"{number};\n" for number in only).encode())
            chosen.flush()
        listed = None if only is None else chosen.fileno()
        words = section_words(stored, target, binaries, section, jobs=jobs, listed=listed)
        sizes = target.sizes if section == "data" else {}
        with (
            Speakers() as speakers,
            running(words, env=target.environment, stderr=speakers.mouth, **inherited(stored, listed)) as restoring,
            arriving(sizes, target.address, packed=target.packed) as rows,
        ):
            watch(speakers.lines(TELL_SECONDS), target, progress, cut_off_in(stored.name), rows)
            refuse_silent_failure(restoring, target)


def section_words(
    stored: Stored, target: Target, binaries: Binaries, section: str, *, jobs: int = 1, listed: int | None = None
) -> list[str | Path]:
    """pg_restore's argv for a section of an archive; `listed` is the descriptor of a list of entries."""
    parts = [f"--section={section}", *([f"--jobs={jobs}"] if jobs > 1 else [])]
    parts += [] if listed is None else [f"--use-list=/dev/fd/{listed}"]
    return [*target.words(binaries), *parts, stored.path]


def inherited(stored: Stored, *others: int | None) -> dict[str, tuple[int, ...]]:
    """Popen's option that lets pg_restore open a nameless archive, and other files without a name."""
    return {"pass_fds": tuple(number for number in (stored.descriptor, *others) if number is not None)}


def watch(
    said: Iterable[Line],
    target: Target,
    progress: Progress,
    cut_off: Callable[[], GreenroomError],
    rows: Arriving | None = None,
) -> None:
    """Read what pg_restore says until it ends; the first complaint that matters is the end. Raises GreenroomError.

    An empty line of `said` says that nothing was said for a while; `rows` is told what it hears of them.
    """
    complaints: defaultdict[int, Complaint] = defaultdict(Complaint)
    working = Working(rows)
    for who, raw in said:
        line, complaint = raw.decode(errors="replace"), complaints[who]
        if working.hears(line):
            progress.detail(working.told())
        elif match := _ENTRY.match(line):
            complaints[who] = Complaint(entry=match["entry"])
        elif line.startswith("pg_restore: error: "):
            complaint.words, complaint.command = line.removeprefix("pg_restore: error: "), ""
            if not complaint.words.startswith("could not execute query"):
                raise _explained(complaint, target, cut_off)
        elif line.startswith("Command was: "):
            complaint.command = line.removeprefix("Command was: ")
            if disk_full(target, complaint.words) or not passed_over(complaint, target):
                raise _explained(complaint, target, cut_off)


def refuse_silent_failure(restoring: Popen[bytes], target: Target) -> None:
    """pg_restore ends with 1 when it passed over errors, which were judged; with anything else it was ended."""
    code = restoring.wait()
    if code not in (0, 1):
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise GreenroomError(f"pg_restore into {target.label} ended with {how}.", _SHORT)


def _explained(complaint: Complaint, target: Target, cut_off: Callable[[], GreenroomError]) -> GreenroomError:
    if full := disk_full(target, complaint.words):
        return full
    if "ERROR:" not in complaint.words and "connection" in complaint.words:
        return lost(target)
    if "worker process died" in complaint.words:
        return GreenroomError(f"a process of pg_restore into {target.label} was ended.", _SHORT)
    if of_archive(complaint.words):
        return cut_off()
    hint = "pg_restore --exit-on-error of the same archive shows the server's own words, which can quote rows."
    if not complaint.command and "ERROR:" not in complaint.words:
        return GreenroomError(f"pg_restore into {target.label} failed: {own(complaint.words)}.", hint)
    entry = complaint.entry or "an unknown entry"
    reason = "" if _QUOTES_ROWS.match(entry) or not complaint.command else f": {_server_words(complaint.words)}"
    if target.masked and _HOLDS_ROWS.match(entry):
        hint = f"Its rows were masked before: another kind for its columns, where one breaks it? If not: {hint}"
    return GreenroomError(
        f"the data cannot be restored on {target.label}: it failed at {_readable(entry)}{reason}.", hint
    )


def _server_words(words: str) -> str:
    return words.partition("ERROR:")[2].strip().rstrip(".") or words.rstrip(".")


def _readable(entry: str) -> str:
    """`TABLE t owner` without the owner, which is the last word, unless there is none."""
    return entry.removesuffix(" (no owner)") if entry.endswith(" (no owner)") else entry.rpartition(" ")[0] or entry


def disk_full(target: Target, said: str = "", *, sqlstate: str | None = None) -> GreenroomError | None:
    """The error for a full disk, where a program's words, an SQLSTATE or the server's log tell of one."""
    logged = target.log.read_text(errors="replace") if target.log and target.log.exists() else ""
    if sqlstate != _DISK_FULL and not any(words in said or words in logged for words in _NO_ROOM):
        return None
    more = "set TMPDIR to a directory with more room" if target.log else "give another --server"
    return GreenroomError(
        f"the disk of {target.label} is full: the copy of the data does not fit.", f"Free some space, or {more}."
    )


def lost(target: Target) -> GreenroomError:
    """The error for a copy's server that is gone."""
    return GreenroomError(
        f"the server {target.label} went away while the data was restored.", "Look into its log, then run again."
    )


def cut_off_in(name: str) -> Callable[[], GreenroomError]:
    """What the end of a file in the middle of an archive means."""
    return lambda: GreenroomError(
        f"{name} is truncated or damaged: pg_restore cannot read on in it.",
        "Copy it again, or dump it again: pg_dump -Fc -f FILE DATABASE",
    )
