"""The observer: one loop that hears the agent, drives the probes and looks from outside, until the migration is over.

It waits in one selector for the agent's events, the app's output and the answers of every probe, so nothing is shared
between threads and every time is taken when the thing itself arrives.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import psycopg

from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.server import connect
from greenroom.rehearsal.agent_process import AgentProcess, Event
from greenroom.rehearsal.channel import Channel
from greenroom.rehearsal.poller import LockPoller, SizeWatch, Witness, named
from greenroom.rehearsal.probes import Prober
from greenroom.rehearsal.recorder import Recorder

START_SECONDS = 120.0  # for the app to be imported and its plan to be made
REFRESH = 0.25  # seconds between two progress lines
WRITES = ("update", "delete", "insert", "merge", "with", "copy")


class NotBegun(GreenroomError):
    """The app said why it cannot migrate, before it was let go."""


@dataclass(frozen=True)
class Hang:
    """Where a migration was when its time was over."""

    waiting_for: str | None


def hear_plan(agent: AgentProcess) -> tuple[Event, Event, int]:
    """The agent's `ready` and `plan`, and the pid of its backend.

    Raises GreenroomError, naming the cause, when the app does not come that far.
    """
    heard: dict[str, Event] = {}
    deadline = time.monotonic() + START_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(agent.events, selectors.EVENT_READ)
        selector.register(agent.output, selectors.EVENT_READ)
        while "plan" not in heard:
            if time.monotonic() > deadline:
                raise GreenroomError(f"the app did not come up within {START_SECONDS:.0f} s.", _last_words(agent))
            for key, _ in selector.select(1.0):
                if key.fileobj is agent.output and not agent.read_output():
                    selector.unregister(agent.output)
                elif key.fileobj is agent.events:
                    _hear(agent, heard)
    return heard["ready"], heard["plan"], heard["connection"]["pid"]


def _hear(agent: AgentProcess, heard: dict[str, Event]) -> None:
    events = agent.read_events()
    if events is None:
        agent.read_output()
        raise GreenroomError("the app's process ended before its migrations could be read.", _last_words(agent))
    for event in events:
        if event["event"] == "failed":
            raise NotBegun(agent.redact(_sentence(event)), _next_step(event))
        heard[event["event"]] = event


@dataclass
class Observer:
    """Watches one run of `migrate`. After `watch` the facts are in `recorder`, `prober.waits`, `sizes` and `hang`."""

    agent: AgentProcess
    admin: Address
    prober: Prober
    progress: Progress
    timeout_seconds: float
    pid: int  # of the migrating backend
    paused: Callable[[], None] | None = None  # to be done when the agent pauses, before it goes on
    recorder: Recorder = field(default_factory=Recorder)
    hang: Hang | None = None
    blind: bool = False
    server_lost: bool = False
    start: float = 0.0
    seconds: float = 0.0

    def watch(self, size_before: int) -> None:
        """Let the agent go, and watch until it has ended or `timeout_seconds` are over."""
        channels: list[Channel] = []
        try:
            probes = self.prober.open()
            self._labels = {table.label for table in self.prober.tables}
            channels = [Channel(self.admin) for _ in range(3)]
            self.locks = LockPoller(channels[0])
            self.sizes = SizeWatch(channels[1], size_before, size_before, size_before)
            self.witness = Witness(channels[2], self.prober)
            with selectors.DefaultSelector() as selector:
                self._selector = selector
                for probe in probes:
                    self._on(probe.channel, partial(self.prober.arrived, probe))
                self._on(self.locks.channel, self.locks.arrived)
                self._on(self.sizes.channel, self.sizes.arrived)
                self._on(self.witness.channel, self.witness.arrived)
                selector.register(self.agent.output, selectors.EVENT_READ, self._hear_output)
                selector.register(self.agent.events, selectors.EVENT_READ, self._hear_events)
                self._run()
        finally:
            self.prober.close()
            for channel in channels:
                channel.close()

    def _run(self) -> None:
        self.start = self.recorder.start = time.monotonic()
        deadline, refresh = self.start + self.timeout_seconds, self.start
        self._open = True
        self.agent.say({"go": True})
        while self._open:
            now = time.monotonic()
            self._fire(now)
            if now >= deadline and not self.hang:
                self._stop_hanging()
            if now >= refresh:
                self._show(now)
                refresh = now + REFRESH
            wake = min(deadline if not self.hang else now + 1, refresh, *self._due())
            for key, _ in self._selector.select(max(0.0, wake - now)):
                self._guarded(key.data)
        now = self.recorder.ended or time.monotonic()
        self.seconds = now - self.start
        self.recorder.close(now)
        if not self.blind:
            self.prober.finish(now)

    def _due(self) -> tuple[float, ...]:
        if self.blind:
            return ()
        asking = (self.locks, self.sizes, self.witness)  # one that is busy is woken for by its socket
        return (self.prober.next_due(), *(part.due for part in asking if not part.channel.busy))

    def _fire(self, now: float) -> None:
        if not self.blind:
            self._guarded(lambda at: [part.fire(at) for part in (self.prober, self.locks, self.sizes, self.witness)])

    def _guarded(self, work: Callable[[float], object]) -> None:
        """Run one piece of work; that our sessions were ended is a fact, found out once."""
        try:
            work(time.monotonic())
        except psycopg.OperationalError:
            self._lose_sessions()

    def _lose_sessions(self) -> None:
        """The server is gone, or somebody has ended our sessions: then what is left of the migration is not probed."""
        self.blind = True
        self.prober.finish(time.monotonic())  # a probe whose session was ended waits no longer
        try:
            connect(self.admin).close()
        except GreenroomError:
            self.server_lost = True
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, Channel):
                self._selector.unregister(key.fileobj)

    def _on(self, channel: Channel, arrived: Callable[[float], None]) -> None:
        self._selector.register(channel, selectors.EVENT_READ, arrived)

    def _hear_output(self, _: float) -> None:
        if not self.agent.read_output():
            self._selector.unregister(self.agent.output)

    def _hear_events(self, now: float) -> None:
        events = self.agent.read_events()
        if events is None:
            self._open = False
            return
        touched: set[str] = set()
        for event in events:
            self._before(event, now)
            touched |= self._labels & self.recorder.locked  # before the event: what a commit frees
            self.recorder.take(event)
            touched |= self._labels & self.recorder.locked
            if event["event"] == "statement_start":
                touched |= named(event["sql"], self._labels)
        if touched:
            self.prober.excite(touched, now)
        if self.recorder.ended is not None:
            self._open = False  # a child that the app has left behind would keep the pipe open for ever

    def _before(self, event: Event, now: float) -> None:
        kind = event["event"]
        if kind == "connection":
            self.pid = event["pid"]
        elif kind == "statement_start" and event["how"] == "polled":
            self.locks.begin(self.pid, now)
        elif kind == "statement_end" and self.locks.due != float("inf"):
            self.locks.end(self.recorder, event["t"])
        elif kind == "statement_start" and event["sql"].lstrip()[:6].lower().startswith(WRITES):
            self.prober.writing = True
        elif kind == "transaction_end":
            self.prober.writing = False
        elif kind == "paused":
            if self.paused:
                self.paused()
            self.agent.say({"go": True})

    def _show(self, now: float) -> None:
        waits = sorted(self.prober.waiting(now), key=lambda wait: -wait[2])
        who = {"read": "readers", "write": "writers", "row": "writers of rows"}
        blocked = f" · {who[waits[0][1]]} of {waits[0][0]} waiting {waits[0][2]:.1f} s" if waits else ""
        self.progress.detail(f"{self.recorder.migration or 'migrate'}{blocked} · {self.recorder.sql[:60]}")

    def _stop_hanging(self) -> None:
        """Find out what the statement waits for, then end it from the server's side and the agent's."""
        with connect(self.admin) as connection:
            self.hang = Hang(waiting_for(connection, self.pid) or held_up(connection, self.pid))
            end = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND datname = current_database()"
            )
            connection.execute(end, [self.pid])  # on the copy: the number may be another session's by now
        self.agent.end()
        self._open = False


def waiting_for(connection: psycopg.Connection, pid: int) -> str | None:
    """What a backend waits for, in words: the lock, its table, and who holds it; None when it waits for no lock."""
    row = connection.execute(
        """
        SELECT l.mode, coalesce(l.relation::regclass::text, l.locktype),
               (SELECT string_agg(coalesce(nullif(application_name, ''), 'pid ' || pid) || ' (' || state || ')', ', ')
                FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids(l.pid)))
        FROM pg_locks l WHERE l.pid = %s AND NOT l.granted LIMIT 1
        """,
        [pid],
    ).fetchone()
    if row is None:
        return None
    mode, target, holders = row
    return f"{mode} on {target}" + (f", held by {holders}" if holders else "")


def held_up(connection: psycopg.Connection, pid: int) -> str | None:
    """What a further connection of the app's waits for, because the migration itself holds it: neither will go on."""
    row = connection.execute(
        """
        SELECT l.mode, coalesce(l.relation::regclass::text, l.locktype)
        FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
        WHERE NOT l.granted AND a.datname = current_database() AND %s = ANY (pg_blocking_pids(l.pid))
              AND a.application_name <> current_setting('application_name')
        LIMIT 1
        """,
        [pid],
    ).fetchone()
    if row is None:
        return None
    return "{} on {}, which a further connection of the app asks for and the migration itself holds".format(*row)


def _sentence(event: Event) -> str:
    what = {"start": "the project does not start", "guard": "refused", "plan": "no plan can be made"}
    return f"{what.get(event['during'], event['during'])}: {event.get('message') or event['exception']}"


def _next_step(event: Event) -> str:
    return {
        "start": "Check --settings, --project and --python; `manage.py check` in the project shows the same error.",
        "guard": "Check how the project is told its database: database_variables in [tool.greenroom.project].",
        "plan": "`manage.py showmigrations` in the project shows where it stands.",
    }.get(event["during"], "")


def _last_words(agent: AgentProcess) -> str:
    words = [line for line in agent.printed if line.strip()]
    return (
        f"Its last words: {words[-1].strip()[:300]}" if words else "It printed nothing. Check --python and --settings."
    )
