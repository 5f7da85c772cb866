"""What leaves no trace at its end is looked at from outside: the locks of a CONCURRENTLY, and the size at its peak."""

from __future__ import annotations

from dataclasses import dataclass, field

from greenroom.rehearsal.channel import Channel, rows
from greenroom.rehearsal.probes import LATE, Prober
from greenroom.rehearsal.recorder import Recorder, label

FLOOR = 0.002  # seconds between two looks at the locks of a statement that cannot run in a transaction block
CEILING = 0.05
GROWTH = 0.01  # of the statement's age
SIZE_INTERVAL = 0.25
SIZE_SHARE = 50  # a look at the size costs a directory scan: at most a fiftieth of the time goes into it

_LOCKS = """
SELECT n.nspname || '.' || c.relname, l.mode
FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.pid = {pid} AND l.granted AND l.locktype = 'relation' AND l.mode <> 'AccessShareLock'
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""


@dataclass
class Look:
    """What one look, or several in a row, showed: (table, mode). Seconds of time.monotonic()."""

    asked: float
    answered: float  # by then it was seen
    last: float  # and until then nothing else
    locks: set[tuple[str, str]]


@dataclass
class LockPoller:
    """Looks at the migrating backend's locks while, and only while, a polled statement runs."""

    channel: Channel
    due: float = float("inf")
    _pid: int = 0
    _began: float = 0.0
    _asked: float = 0.0
    _looks: list[Look] = field(default_factory=list)

    def begin(self, pid: int, now: float) -> None:
        """A polled statement starts."""
        self._pid, self._began, self.due = pid, now, now
        self._looks.clear()

    def fire(self, now: float) -> None:
        """Ask, when it is time to."""
        if self.due <= now and not self.channel.busy:
            self._asked = now
            self.channel.send(_LOCKS.format(pid=self._pid).encode())

    def arrived(self, now: float) -> None:
        """Take an answer."""
        results = self.channel.receive()
        if results is None:
            return
        if self._asked >= self._began:  # else: of the statement before
            self._note({(table, mode) for table, mode in rows(results) if table and mode}, now)
        if self.due != float("inf"):
            self.due = now + min(CEILING, max(FLOOR, GROWTH * (now - self._began)))

    def end(self, recorder: Recorder, ended: float) -> None:
        """The statement has ended, at a time of time.monotonic(): hand over what was seen of it.

        An answer that came later may show the locks of the next statement: the app had not waited for us.
        """
        self.due = float("inf")
        seen: dict[tuple[str, str], tuple[float, float]] = {}
        for look in self._looks:
            if look.answered <= ended:
                last = min(look.last, ended)
                seen |= {lock: (seen.get(lock, (look.asked,))[0], last) for lock in look.locks}
        for (table, mode), (first, last) in seen.items():
            recorder.polled(table, mode, first, last)
        self._looks.clear()

    def _note(self, locks: set[tuple[str, str]], now: float) -> None:
        if self._looks and self._looks[-1].locks == locks:
            self._looks[-1].last = now
        else:
            self._looks.append(Look(self._asked, now, now, locks))


@dataclass
class Witness:
    """Asks the server which probes wait for a lock: one that answers late may just have had no processor."""

    channel: Channel
    prober: Prober
    _asked: float = 0.0

    @property
    def due(self) -> float:
        """When to ask: while a probe is late that was not seen waiting yet."""
        return max(self._asked + LATE, self.prober.late_at())

    def fire(self, now: float) -> None:
        """Ask, when it is time to."""
        if self.due <= now and not self.channel.busy:
            self._asked = now
            self.channel.send(b"SELECT pid FROM pg_locks WHERE NOT granted")

    def arrived(self, _: float) -> None:
        """Take an answer."""
        results = self.channel.receive()
        if results is not None:
            self.prober.witness({int(pid) for (pid,) in rows(results) if pid})


@dataclass
class SizeWatch:
    """The database's size in bytes: before, now, and at the highest."""

    channel: Channel
    before: int
    latest: int = 0
    peak: int = 0
    due: float = 0.0
    _asked: float = 0.0

    def fire(self, now: float) -> None:
        """Ask, when it is time to."""
        if self.due <= now and not self.channel.busy:
            self._asked = now
            self.channel.send(b"SELECT pg_database_size(current_database())")

    def arrived(self, now: float) -> None:
        """Take an answer."""
        results = self.channel.receive()
        if results is None:
            return
        for (size,) in rows(results):
            self.latest = int(size or 0)
            self.peak = max(self.peak, self.latest)
        self.due = now + max(SIZE_INTERVAL, SIZE_SHARE * (now - self._asked))


def named(sql: str, tables: set[str]) -> set[str]:
    """The tables whose name occurs in a statement's text: good enough to know where to look closely."""
    return {table for table in tables if label(table).rsplit(".", 1)[-1] in sql}
