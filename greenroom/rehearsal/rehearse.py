"""A rehearsal, from the source to the document: acquire a copy, migrate it while watching, judge, and drop the copy."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from greenroom import __version__, git
from greenroom.config import CommandTarget, PostgresTarget
from greenroom.console import Progress
from greenroom.copies.acquiring import Acquired, CopyRequest, acquire
from greenroom.rehearsal import document as doc
from greenroom.rehearsal import drills, twins, verdict
from greenroom.rehearsal.drills import Outcome
from greenroom.rehearsal.fidelity import fidelity
from greenroom.rehearsal.hazards import judge
from greenroom.rehearsal.hints import static_hints
from greenroom.rehearsal.inside import image as images
from greenroom.rehearsal.inside import trial
from greenroom.rehearsal.request import Request
from greenroom.rehearsal.watching import Watched, watch


def rehearse(request: Request, progress: Progress) -> doc.Rehearsal:
    """Rehearse the pending migrations and return the document; the copy is gone (or kept on request) by then.

    A migration that fails is a result. Raises GreenroomError for what keeps a rehearsal from being held at all.
    """
    trial.refuse_unusable(request, progress)
    with ExitStack() as stack:
        copy = stack.enter_context(acquire(request.source, progress))
        request = stack.enter_context(twins.prepared(request))
        staged = stack.enter_context(drills.prepared(request, copy, progress))
        stage = staged(watch(request, copy, progress))
        drilled = drills.hold(stage)
        tried = twins.tried(stage)
        progress.step("dropping the copy" if not request.source.keep else f"keeping the copy {copy.name}")
    return judged(request, copy, stage.watched, drilled, tried)


def judged(
    request: Request, copy: Acquired, watched: Watched, drilled: list[Outcome], tried: list[doc.Twin]
) -> doc.Rehearsal:
    """The document: what was watched, drilled and tried, with findings and verdict."""
    observations = watched.observations()
    findings = judge(observations, request.budget, [finding for one in drilled for finding in one.findings])
    held = [one.drill for one in drilled]
    name, reasons = verdict.decide(observations, findings, request.budget, held)
    static, findings = hinted(request, copy, watched, findings)
    now = datetime.now(UTC).replace(microsecond=0)
    return doc.Rehearsal(
        id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        created_at=now,
        greenroom_version=__version__,
        git=_git(request.directory),
        image=_image(request),
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
        static=static,
        drills=held,
        twins=tried,
        fidelity=fidelity(
            copy, watched.ready, watched.probed, watched.recorder, blind=watched.blind, more=images.notes(request)
        ),
        totals=watched.totals,
        left=observations.left,
        error=watched.error,
    )


def hinted(
    request: Request, copy: Acquired, watched: Watched, findings: list[doc.Finding]
) -> tuple[doc.StaticHints | None, list[doc.Finding]]:
    """Static hints, and the findings that say the same: made after the verdict, which does not know of them."""
    if not request.config.rehearsal.static_hints:
        return None, findings
    directory = request.directory
    partitioned = {table for table, relation in watched.relations.items() if relation.partitions}
    return static_hints(
        watched.recorder, findings, watched.relations, copy.facts.version, directory, partitioned=partitioned
    )


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


def _image(request: Request) -> doc.Image | None:
    image = request.image
    if image is None:
        return None
    revision = images.revision(image)
    return doc.Image(name=image.name, digest=image.digest, id=image.id, revision=revision, user=image.user)


def _git(project: Path) -> doc.Git:
    here = git.checkout(project)
    return doc.Git(commit=here.commit, branch=here.branch, dirty=here.dirty)
