"""A rehearsal, from the source to the document: acquire a copy, migrate it while watching, judge, and drop the copy."""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import psycopg

from greenroom import __version__, git
from greenroom.config import CommandTarget, Config, PostgresTarget, Project
from greenroom.console import Progress
from greenroom.copies.acquiring import Acquired, CopyRequest, acquire
from greenroom.errors import GreenroomError
from greenroom.postgres.server import connect
from greenroom.rehearsal import document as doc
from greenroom.rehearsal import relations, verdict
from greenroom.rehearsal.aftermath import Client
from greenroom.rehearsal.agent_process import AgentProcess, Event, started
from greenroom.rehearsal.failure import failure
from greenroom.rehearsal.fidelity import fidelity
from greenroom.rehearsal.hazards import judge
from greenroom.rehearsal.launch import launch
from greenroom.rehearsal.observations import Aftermath, Observations, Relation
from greenroom.rehearsal.observer import Observer, hear_plan
from greenroom.rehearsal.probes import Prober, Table
from greenroom.rehearsal.recorder import Recorder, label, plan_of
from greenroom.rehearsal.stalls import Size, stalls


@dataclass(frozen=True)
class Request:
    """What is to be rehearsed, on what, and how much stall is accepted."""

    config: Config
    project: Project
    source: CopyRequest
    targets: list[str] = field(default_factory=list)
    budget: doc.Budget = field(default_factory=lambda: doc.Budget(read_ms=1000, write_ms=2000, timeout_seconds=3600))
    probed_tables: int = 8
    allow_network: bool = False


@dataclass(frozen=True)
class Watched:
    """Everything that was seen on the copy."""

    ready: Event
    plan: doc.Plan
    traits: dict[tuple[str, int], frozenset[str]]
    recorder: Recorder
    stalls: list[doc.Stall]
    relations: dict[str, Relation]
    probed: list[str]
    totals: doc.Totals
    error: doc.RehearsalError | None
    blind: bool
    aftermath: Aftermath
    conflicts: dict[str, list[str]]


def rehearse(request: Request, progress: Progress) -> doc.Rehearsal:
    """Rehearse the pending migrations and return the document; the copy is gone (or kept on request) by then.

    A migration that fails is a result. Raises GreenroomError for what keeps a rehearsal from being held at all.
    """
    with acquire(request.source, progress) as copy:
        watched = watch(request, copy, progress)
        progress.step("dropping the copy" if not request.source.keep else f"keeping the copy {copy.name}")
    return judged(request, copy, watched)


def watch(request: Request, copy: Acquired, progress: Progress) -> Watched:
    """Run the project's `migrate` on the copy and observe it."""
    start = launch(request.project, request.config.root, copy, request.targets, allow_network=request.allow_network)
    progress.step("reading the pending migrations")
    with (
        closing(Client(copy.admin)) as client,
        started(start.python, start.directory, start.environment, redact=_secrets(copy)) as agent,
    ):
        agent.say(start.request)
        ready, planned, pid = hear_plan(agent)
        plan = plan_of(planned, fingerprint(planned))
        with connect(copy.admin) as connection:
            found = relations.read(connection)
            probed = relations.probed(connection, found, planned["tables"], request.probed_tables)
            size = _size(connection)
        recorder = Recorder(unwritten=frozenset(one.label for one in found if one.kind == "m"))
        observed = _observe(request, copy, agent, pid, probed, size, plan, recorder, progress)
        left = _left(client, recorder)
    known = relations.relations(found)
    sizes = {name: Size(relation.rows, relation.size_bytes) for name, relation in known.items()}
    felt = stalls([*observed.recorder.runs, observed.recorder.around], observed.prober.waits, observed.start, sizes)
    return Watched(
        ready=ready,
        plan=plan,
        traits=traits(planned),
        recorder=observed.recorder,
        stalls=felt,
        relations=known,
        probed=[table.label for table in probed],
        totals=totals(observed, felt, size_after=_size_of(copy), wal=copy.own_server),
        error=failure(observed.recorder, observed.hang, request.budget.timeout_seconds, agent.process.returncode),
        blind=observed.blind,
        aftermath=left,
        conflicts=planned["conflicts"],
    )


def _left(client: Client, recorder: Recorder) -> Aftermath:
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
    observer = Observer(agent, copy.admin, prober, progress, request.budget.timeout_seconds, pid, recorder=recorder)
    observer.watch(size)
    if observer.server_lost:
        where = observer.recorder.migration or "the migration"
        raise GreenroomError(
            f"the copy's server {copy.label} went away during {where}, so nothing can be judged.",
            "Look into that server's log, then run the rehearsal again.",
        )
    return observer


def judged(request: Request, copy: Acquired, watched: Watched) -> doc.Rehearsal:
    """The document: what was watched, with findings and verdict."""
    observations = Observations(
        plan=watched.plan,
        migrations=watched.recorder.runs,
        stalls=watched.stalls,
        relations=watched.relations,
        lock_timeout_ms=milliseconds(watched.ready.get("lock_timeout")),
        traits=watched.traits,
        error=watched.error,
        totals=watched.totals,
        post_migrate=watched.recorder.around,
        aftermath=watched.aftermath,
        models=watched.recorder.models,
        conflicts=watched.conflicts,
    )
    findings = judge(observations, request.budget)
    name, reasons = verdict.decide(observations, findings, request.budget)
    now = datetime.now(UTC).replace(microsecond=0)
    return doc.Rehearsal(
        id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        created_at=now,
        greenroom_version=__version__,
        git=_git(request.config.root / request.project.directory),
        project=request.project.directory.name,
        plan=watched.plan,
        verdict=name,
        reasons=reasons,
        budget=request.budget,
        source=_source(request.source),
        copy_=_copy(copy),
        migrations=[*watched.recorder.runs, *_not_run(watched)],
        post_migrate=watched.recorder.around,
        stalls=watched.stalls,
        findings=findings,
        fidelity=fidelity(copy, watched.ready, watched.probed, watched.recorder, blind=watched.blind),
        totals=watched.totals,
        error=watched.error,
    )


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


def milliseconds(shown: str | None) -> float | None:
    """PostgreSQL's text of a duration (`2s`, `500ms`, `1min`, `0`) in milliseconds; None for 0 or nothing."""
    units = {"ms": 1.0, "min": 60_000.0, "us": 0.001, "s": 1000.0, "h": 3_600_000.0, "d": 86_400_000.0}
    text = (shown or "").strip()
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return float(number) * units.get(text[len(number) :], 1.0) or None if number else None


def _not_run(watched: Watched) -> list[doc.MigrationRun]:
    ran = {(run.app, run.name) for run in watched.recorder.runs}
    rest = [m for m in watched.plan.migrations if (m.app, m.name) not in ran]
    return [doc.MigrationRun(app=m.app, name=m.name, atomic=m.atomic, status="not run") for m in rest]


def _copy(copy: Acquired) -> doc.Copy:
    return doc.Copy(
        kind=copy.kind,
        method=copy.method,
        name=copy.name,
        server=copy.label,
        server_version=copy.facts.version,
        seconds=copy.seconds,
        size_bytes=copy.size_bytes,
        dropped=copy.dropped,
    )


def _source(source: CopyRequest) -> doc.Source:
    if source.dump:
        return doc.Source(kind="dump", description=Path(source.dump).name)
    if source.target:
        return doc.Source(kind="target", description=_described(source))
    if source.address:
        return doc.Source(kind="url", description=str(source.address))
    return doc.Source(kind="demo", description="the app at an earlier state, with demo data")


def _described(source: CopyRequest) -> str:
    assert source.target is not None
    target = source.config.target(source.target)
    if isinstance(target, CommandTarget):
        return f"{source.target}: {target.kind}"
    where = f"{target.host}:{target.port}" if isinstance(target, PostgresTarget) else target.kind
    return f"{source.target}: {target.user}@{where}/{target.name}{f' via {target.via}' if target.via else ''}"


def _git(project: Path) -> doc.Git:
    here = git.checkout(project)
    return doc.Git(commit=here.commit, branch=here.branch, dirty=here.dirty)


def _secrets(copy: Acquired) -> list[str]:
    addresses = (copy.address, copy.admin)
    passwords = [address.password.reveal() for address in addresses if address.password]
    return [*passwords, *(quote(password, safe="") for password in passwords)]  # and as a URL has them


def _size_of(copy: Acquired) -> int:
    with connect(copy.admin) as connection:
        return _size(connection)


def _size(connection: object) -> int:
    row = connection.execute("SELECT pg_database_size(current_database())").fetchone()  # type: ignore[attr-defined]
    return int(row[0])


__all__ = ["Request", "label", "rehearse"]
