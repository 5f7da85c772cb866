"""Probes: clients of the copy that measure how long a reader and a writer of a table stand still.

A reader takes ACCESS SHARE, a writer ROW EXCLUSIVE, each in a transaction that rolls back: what a SELECT or an UPDATE
waits for first. A row probe asks for three rows of the table with NOWAIT: *waiting* for a row while it holds the
table's lock would make the migration the victim of a deadlock (40P01). It shows whether a writer of a row that the
migration has changed would wait.

A probe that waits costs nothing. One that does not wait is sent again after an interval that grows with the age of
the last event that could have changed something: a stall of T is measured to within a few hundredths of T, with some
tens of probes instead of thousands.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from psycopg import sql

from greenroom.postgres.address import Address
from greenroom.rehearsal.channel import Channel, sqlstate

Kind = Literal["read", "write", "row"]

FLOOR = 0.003  # seconds between two probes of a kind and table, right after an event
GROWTH = 0.04  # of the time since that event
CEILING = 0.1
LATE = 0.01  # seconds after which the server is asked whether a probe waits for a lock
RATE = 500.0  # probes a second, all together, once the burst is spent
BURST = 48.0
LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True)
class Table:
    """A table of the copy that may be probed."""

    schema: str
    name: str
    rows: tuple[str, ...] = ()  # ctids of the sampled rows

    @property
    def label(self) -> str:
        """As the document names it."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        """As SQL names it."""
        return sql.Identifier(self.schema, self.name).as_string(None)


@dataclass(frozen=True)
class Wait:
    """A probe that had to wait: seconds of time.monotonic().

    `witnessed`: the server said meanwhile that it waited for a lock; else it may just have had no processor.
    """

    table: str
    kind: Kind
    sent: float
    done: float
    witnessed: bool = False


@dataclass
class Probe:
    table: Table
    kind: Kind
    channel: Channel
    sent: float | None = None  # None: not under way
    due: float = 0.0
    witnessed: bool = False
    refused_since: float | None = None  # row probes: first NOWAIT refusal of the present run
    gone: bool = False  # the table's name is not there (dropped, renamed): asked again at the slowest pace

    @property
    def query(self) -> bytes:
        """The whole transaction as one message."""
        if self.kind == "row":
            ctids = ", ".join(f"'{ctid}'" for ctid in self.table.rows)
            rows = f"FROM ONLY {self.table.quoted} WHERE ctid = ANY(ARRAY[{ctids}]::tid[])"
            ask = f"SELECT 1 {rows} FOR NO KEY UPDATE NOWAIT"
        else:
            mode = "ACCESS SHARE" if self.kind == "read" else "ROW EXCLUSIVE"
            # ONLY: a probe that holds a parent while it waits for a partition would be a deadlock with the migration
            ask = f"LOCK TABLE ONLY {self.table.quoted} IN {mode} MODE"
        return f"BEGIN; {ask}; ROLLBACK".encode()


@dataclass
class Prober:
    """All probes, driven by the observer's loop: `fire` what is due, `arrived` when a socket has an answer."""

    address: Address
    tables: list[Table]
    waits: list[Wait] = field(default_factory=list)
    _probes: list[Probe] = field(default_factory=list)
    _excited: dict[str, float] = field(default_factory=dict)
    _tokens: float = BURST
    _filled: float = 0.0
    _quickest: float = float("inf")  # seconds of the quickest answer: the way to the server and back
    writing: bool = False  # the migration is changing rows: row probes are worth sending

    def open(self) -> list[Probe]:
        """Connect: three sessions a table with rows, two for an empty one."""
        for table in self.tables:
            kinds: list[Kind] = ["read", "write", "row"] if table.rows else ["read", "write"]
            self._probes += [Probe(table, kind, Channel(self.address)) for kind in kinds]
        return self._probes

    def close(self) -> None:
        """End every session; a probe that still waits is a wait up to now."""
        for probe in self._probes:
            probe.channel.close()

    def excite(self, labels: set[str], now: float) -> None:
        """Something has just happened that may have locked or freed these tables: look closely again."""
        for label in labels:
            self._excited[label] = now
        for probe in self._probes:
            if probe.table.label in labels and not probe.gone:
                probe.due = min(probe.due, max(now, (probe.sent or 0) + FLOOR))

    def next_due(self) -> float:
        """When `fire` wants to be called next, on time.monotonic()'s scale."""
        idle = [probe.due for probe in self._probes if not probe.channel.busy and self._wanted(probe)]
        return min(idle, default=float("inf"))

    def fire(self, now: float) -> None:
        """Send every probe that is due, as far as the rate allows: the longest overdue first."""
        self._tokens = min(BURST, self._tokens + (now - self._filled) * RATE)
        self._filled = now
        due = deque(
            sorted(
                (p for p in self._probes if not p.channel.busy and p.due <= now and self._wanted(p)),
                key=lambda p: p.due,
            )
        )
        while due and self._tokens >= 1:
            self._tokens -= 1
            probe = due.popleft()
            probe.sent, probe.witnessed = now, False
            probe.channel.send(probe.query)
        for probe in due:
            probe.due = now + FLOOR

    def arrived(self, probe: Probe, now: float) -> None:
        """Take the answer of one probe, when it is complete. Raises psycopg.OperationalError: the server is gone."""
        results = probe.channel.receive()
        if results is None:
            return
        if probe.sent is not None:
            self._account(probe, sqlstate(results), now)
        if probe.channel.in_failed_transaction:
            probe.sent = None
            probe.channel.send(b"ROLLBACK")

    def waiting(self, now: float) -> list[tuple[str, Kind, float]]:
        """The probes that wait at this moment: table, kind, seconds so far."""
        blocked = [(p.table.label, p.kind, now - p.sent) for p in self._probes if p.channel.busy and p.sent is not None]
        blocked += [(p.table.label, p.kind, now - p.refused_since) for p in self._probes if p.refused_since is not None]
        return [entry for entry in blocked if entry[2] > FLOOR]

    def late_at(self) -> float:
        """When a probe will be, or was, so late that the server is to be asked whether it waits for a lock."""
        sent = [p.sent for p in self._probes if p.channel.busy and p.sent is not None and not p.witnessed]
        return min(sent, default=float("inf")) + LATE

    def witness(self, pids: set[int]) -> None:
        """The server's word: these backends wait for a lock."""
        for probe in self._probes:
            probe.witnessed = probe.witnessed or (probe.channel.busy and probe.channel.pid in pids)

    def finish(self, now: float) -> None:
        """The migration is over: what still waits waits until now."""
        for probe in self._probes:
            since = probe.refused_since if probe.kind == "row" else probe.sent if probe.channel.busy else None
            if since is not None and since < now:
                self.waits.append(Wait(probe.table.label, probe.kind, since, now, probe.witnessed))

    def _wanted(self, probe: Probe) -> bool:
        return probe.kind != "row" or self.writing or probe.refused_since is not None

    def _account(self, probe: Probe, state: str | None, now: float) -> None:
        assert probe.sent is not None
        label = probe.table.label
        self._quickest = min(self._quickest, now - probe.sent)
        if probe.kind == "row":
            self._account_row(probe, state, now)
        elif now - probe.sent > FLOOR / 3 + 2 * self._quickest:
            self.waits.append(Wait(label, probe.kind, probe.sent, now, probe.witnessed))
        probe.gone = state is not None and state != LOCK_NOT_AVAILABLE
        age = now - self._excited.get(label, 0.0)
        probe.due = now + (CEILING if probe.gone else min(CEILING, max(FLOOR, GROWTH * age)))

    def _account_row(self, probe: Probe, state: str | None, now: float) -> None:
        assert probe.sent is not None
        if state == LOCK_NOT_AVAILABLE:
            probe.refused_since = probe.refused_since or probe.sent
        elif probe.refused_since is not None:
            self.waits.append(Wait(probe.table.label, "row", probe.refused_since, now))
            probe.refused_since = None
