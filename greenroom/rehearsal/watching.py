"""Watching one run of `migrate` on a copy: the agent inside the app, the observer outside, and what both have seen."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import dataclass

import psycopg

from greenroom.console import Progress
from greenroom.copies.acquiring import Acquired
from greenroom.errors import GreenroomError
from greenroom.postgres.server import connect
from greenroom.rehearsal import document as doc
from greenroom.rehearsal import relations, shapes
from greenroom.rehearsal.aftermath import Client
from greenroom.rehearsal.agent_process import AgentProcess, Event
from greenroom.rehearsal.failure import failure
from greenroom.rehearsal.hazards.folding import Folded
from greenroom.rehearsal.launch import launch, running
from greenroom.rehearsal.observations import Aftermath, Observations, Relation, Shape, milliseconds
from greenroom.rehearsal.observer import Observer, hear_plan
from greenroom.rehearsal.probes import Prober, Table
from greenroom.rehearsal.recorder import Recorder, plan_of
from greenroom.rehearsal.request import Request
from greenroom.rehearsal.stalls import Size, stalls


@dataclass(frozen=True)
class Watched:
    """Everything that was seen on the copy; `applied` are the migrations that were so before, as `app.name`.

    `halted`: it was cut off where the request wanted it. `start` is time.monotonic() when it was let go.
    """

    ready: Event
    plan: doc.Plan
    applied: frozenset[str]
    traits: dict[tuple[str, int], frozenset[str]]
    recorder: Recorder
    stalls: list[doc.Stall]
    relations: dict[str, Relation]
    probed: list[str]
    totals: doc.Totals
    error: doc.RehearsalError | None
    blind: bool
    before: dict[str, Shape]
    after: dict[str, Shape]
    aftermath: Aftermath
    conflicts: dict[str, list[str]]
    halted: bool = False
    start: float = 0.0

    def observations(self) -> Observations:
        """What hazards are judged by."""
        return Observations(
            plan=self.plan,
            migrations=self.recorder.runs,
            stalls=self.stalls,
            relations=self.relations,
            lock_timeout_ms=milliseconds(self.ready.get("lock_timeout")),
            traits=self.traits,
            error=self.error,
            totals=self.totals,
            post_migrate=self.recorder.around,
            before=self.before,
            after=self.after,
            left=shapes.left(self.before, self.after, self.relations),
            aftermath=self.aftermath,
            models=self.recorder.models,
            conflicts=self.conflicts,
        )


def watch(request: Request, copy: Acquired, progress: Progress) -> Watched:
    """Run the project's `migrate` on the copy and observe it."""
    start = launch(request, copy)
    progress.step("reading the pending migrations")
    with closing(Client(copy.admin)) as client, running(start) as agent:
        agent.say(start.request)
        ready, planned, pid = hear_plan(agent)
        plan = plan_of(planned, fingerprint(planned))
        with connect(copy.admin) as connection:
            found = relations.read(connection)
            probed = relations.probed(
                connection, found, [*request.also_probed, *planned["tables"]], request.probed_tables
            )
            size, before = _size(connection), shapes.read(connection)
        recorder = Recorder(unwritten=frozenset(one.label for one in found if one.kind == "m"))
        observed = _observe(request, copy, agent, pid, probed, size, plan, recorder, progress)
        aftermath = _aftermath(client, recorder)
    with connect(copy.admin) as connection:
        size_after, after = _size(connection), shapes.read(connection)
    known = relations.relations(found)
    sizes = {name: Size(relation.rows, relation.size_bytes) for name, relation in known.items()}
    whole = Folded([*observed.recorder.runs, observed.recorder.around], known)
    felt = stalls(whole.runs, whole.waits(observed.prober.waits, observed.start), observed.start, sizes)
    return Watched(
        ready=ready,
        plan=plan,
        applied=frozenset(planned["applied"]),
        traits=traits(planned),
        recorder=observed.recorder,
        stalls=felt,
        relations=known,
        probed=[table.label for table in probed],
        totals=totals(observed, felt, size_after=size_after, wal=copy.own_server),
        error=failure(observed.recorder, observed.hang, request.budget.timeout_seconds, agent.process.returncode),
        blind=observed.blind,
        before=shapes.named(before, before),
        after=shapes.named(after, before),
        aftermath=aftermath,
        conflicts=planned["conflicts"],
        halted=observed.recorder.halted,
        start=observed.start,
    )


def _aftermath(client: Client, recorder: Recorder) -> Aftermath:
    """What the migration has left; nothing where somebody has ended the client's session, which is noted."""
    try:
        return client.aftermath()
    except psycopg.OperationalError:
        recorder.notes.append("a session was ended that would have found out what became of views, keys and statements")
        return Aftermath()


def _observe(
    request: Request,
    copy: Acquired,
    agent: AgentProcess,
    pid: int,
    probed: list[Table],
    size: int,
    plan: doc.Plan,
    recorder: Recorder,
    progress: Progress,
) -> Observer:
    count = len(plan.migrations)
    progress.step(f"migrating: {count} pending migration{'' if count == 1 else 's'}, {len(probed)} tables probed")
    prober = Prober(copy.admin, probed if count else [])
    then = request.halt.then if request.halt else None
    seconds = request.budget.timeout_seconds
    observer = Observer(agent, copy.admin, prober, progress, seconds, pid, paused=then, recorder=recorder)
    observer.watch(size)
    if observer.server_lost:
        where = observer.recorder.migration or "the migration"
        raise GreenroomError(
            f"the copy's server {copy.label} went away during {where}, so nothing can be judged.",
            "Look into that server's log, then run the rehearsal again.",
        )
    return observer


def fingerprint(planned: Event) -> str:
    """SHA-256 over the pending migrations' content and the state they start from: equal plans, equal fingerprints."""
    pending = [[migration["app"], migration["name"], migration["sha256"]] for migration in planned["migrations"]]
    return hashlib.sha256(json.dumps([pending, planned["applied"]]).encode()).hexdigest()


def traits(planned: Event) -> dict[tuple[str, int], frozenset[str]]:
    """What SQL does not show of each operation, by migration and index."""
    return {
        (f"{migration['app']}.{migration['name']}", operation["index"]): frozenset(operation["traits"])
        for migration in planned["migrations"]
        for operation in migration["operations"]
    }


def totals(observed: Observer, felt: list[doc.Stall], *, size_after: int, wal: bool) -> doc.Totals:
    """Sums and maxima over the whole run."""
    statements = [s for run in [*observed.recorder.runs, observed.recorder.around] for s in run.statements]
    sizes = observed.sizes
    return doc.Totals(
        seconds=observed.seconds,
        read_stall_ms=max((stall.read_ms for stall in felt), default=0.0),
        write_stall_ms=max((stall.write_ms for stall in felt), default=0.0),
        wal_bytes=sum(s.wal_bytes or 0 for s in statements) if wal else None,
        size_delta_bytes=size_after - sizes.before,
        size_peak_bytes=max(sizes.peak, size_after) - sizes.before,
    )


def _size(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None, "a session has a database"
    return int(row[0])
