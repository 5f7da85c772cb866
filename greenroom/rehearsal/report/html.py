"""`report.html`: one file that opens offline, without a script and without a request to anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from greenroom.rehearsal.document import Finding, Lock, MigrationRun, Rehearsal, Statement
from greenroom.rehearsal.report import timeline, twins, words
from greenroom.rehearsal.report.limits import Limits, fitted
from greenroom.rehearsal.report.templates import environment

MAX_BYTES = 950_000
STATEMENTS = 400  # of all migrations

_STYLE = Path(__file__).parent / "templates" / "report.css"


@dataclass(frozen=True)
class MigrationView:
    """A migration as the page shows it; `number` is that of its band in the timeline."""

    number: int
    run: MigrationRun
    strongest: Lock | None
    waits: words.Waits
    statements: list[Statement]
    left_out: list[Statement]
    open: bool

    @property
    def left_out_seconds(self) -> float:
        return sum(statement.seconds for statement in self.left_out)


def render(rehearsal: Rehearsal) -> str:
    """The page, under 1 MB for any rehearsal: what had to be left out is counted on it."""
    drawing = timeline.svg(rehearsal)
    felt = words.waits_by_migration(rehearsal)
    each = min(60, 1 + STATEMENTS // (1 + len(rehearsal.migrations)))
    widest = Limits(entries=80, statements=each, characters=2000)
    return fitted(lambda limits: _page(rehearsal, drawing, felt, limits), widest, MAX_BYTES)


def _page(rehearsal: Rehearsal, drawing: Markup, felt: Mapping[str, words.Waits], limits: Limits) -> str:
    return (
        environment(limits.characters)
        .get_template("report.html.j2")
        .render(
            r=rehearsal,
            limits=limits,
            style=Markup(_STYLE.read_text(encoding="utf-8")),
            drawing=drawing,
            answer=words.ANSWER[rehearsal.verdict],
            operation=words.broken_operation(rehearsal),
            noticed=words.noticed(rehearsal),
            todo=words.todo(rehearsal),
            stalls=words.most_blocked(rehearsal.stalls),
            findings=words.by_severity(rehearsal.findings),
            hinted=words.hinted(rehearsal),
            hints=words.unmeasured(rehearsal),
            migrations=[
                _migration(number, run, rehearsal, felt, limits)
                for number, run in enumerate(rehearsal.migrations[: limits.entries], 1)
            ],
            around=_around(rehearsal, felt, limits),
            anchor=anchor,
            twins=twins,
            blocks=_blocks,
        )
    )


def _migration(
    number: int, run: MigrationRun, rehearsal: Rehearsal, felt: Mapping[str, words.Waits], limits: Limits
) -> MigrationView:
    shown = _telling(run, limits.statements)
    failures = {finding.migration for finding in rehearsal.findings if finding.severity == "failure"}
    return MigrationView(
        number=number,
        run=run,
        strongest=words.strongest_of(run),
        waits=felt.get(words.label(run), words.Waits()),
        statements=[run.statements[at] for at in sorted(shown)],
        left_out=[statement for at, statement in enumerate(run.statements) if at not in shown],
        open=run.status == "failed" or (words.label(run) in failures and len(rehearsal.migrations) <= 10),
    )


def _around(rehearsal: Rehearsal, felt: Mapping[str, words.Waits], limits: Limits) -> MigrationView | None:
    """What ran outside of the migrations, where anything did."""
    if rehearsal.post_migrate is None or not rehearsal.post_migrate.statements:
        return None
    seconds = rehearsal.post_migrate.seconds or sum(one.seconds for one in rehearsal.post_migrate.statements)
    return _migration(0, rehearsal.post_migrate.model_copy(update={"seconds": seconds}), rehearsal, felt, limits)


def _telling(run: MigrationRun, count: int) -> set[int]:
    """Places of the statements that tell most: failed, then blocking, rewriting or scanning, then slow."""

    def weight(at: int) -> tuple[bool, float, int, float]:
        statement = run.statements[at]
        blocking = max(
            (lock.held_ms for lock in statement.locks if lock.blocks_reads or lock.blocks_writes), default=0.0
        )
        return bool(statement.sqlstate), blocking, len(statement.rewrites) + len(statement.scans), statement.seconds

    return set(sorted(range(len(run.statements)), key=weight, reverse=True)[:count])


def anchor(finding: Finding, number: int) -> str:
    """The id of a finding's place on the page."""
    return f"finding-{number}-{finding.hazard.lower()}"


def _blocks(lock: Lock) -> str:
    """Whom a lock keeps waiting."""
    return "both" if lock.blocks_reads and lock.blocks_writes else "writers" if lock.blocks_writes else "none"
