"""`report.md`: a comment for a pull request, under 60 kB, its details folded."""

from __future__ import annotations

from greenroom.rehearsal.document import Drill, Evidence, Finding, Rehearsal, Twin
from greenroom.rehearsal.report import marks, twins, words
from greenroom.rehearsal.report.limits import Limits, fitted

MAX_BYTES = 60_000
WIDEST = Limits(entries=30, statements=8, characters=600)

_SIGN = {"pass": "🟢", "warn": "🟡", "fail": "🔴", "note": "⚪", "warning": "🟡", "failure": "🔴"}
_DRILL_SIGN = {"passed": "🟢", "failed": "🔴", "not run": "⚪", "broken off": "🟡"}
_TWIN_SIGN = {"passes": "🟢", "does not pass": "🔴", "failed": "🔴"}


def render(rehearsal: Rehearsal) -> str:
    """The comment. The first three lines say whether this may go out, what users would notice, and what to do."""
    return fitted(lambda limits: _comment(rehearsal, limits), WIDEST, MAX_BYTES)


def _comment(rehearsal: Rehearsal, limits: Limits) -> str:
    sections = (_top, _error, _stalls, _twins, _findings, _hints, _migrations, _drills, _fidelity)
    blocks = [block for section in sections for block in section(rehearsal, limits)]
    return "\n\n".join(blocks) + "\n"


def _top(r: Rehearsal, limits: Limits) -> list[str]:
    first = f"{_SIGN[r.verdict]} **{r.verdict.upper()}**  {marks.text(words.headline(r), limits)}"
    lines = [
        first,
        f"**What users would notice:** {marks.text(words.noticed(r), limits)}",
        f"**What to do:** {marks.text(words.todo(r), limits)}",
    ]
    shown = limits.entries // 4 + 2
    reasons = [f"- {marks.text(reason, limits)}" for reason in r.reasons[1:shown]]
    further = ["Further reasons:", "\n".join(reasons), *marks.more(len(r.reasons), shown, "reason")] if reasons else []
    return ["  \n".join(lines), *further]


def _error(r: Rehearsal, limits: Limits) -> list[str]:
    if r.error is None:
        return []
    facts = {
        "Migration": r.error.migration,
        "Operation": words.broken_operation(r),
        "Exception": r.error.exception,
        "SQLSTATE": r.error.sqlstate,
        "Table": r.error.table,
        "Column": r.error.column,
        "Constraint": r.error.constraint,
        "Waited for": r.error.waiting_for,
        "Applied before": ", ".join(r.error.applied[: limits.entries]) or "nothing",
    }
    lines = [f"- {key}: {marks.code(value, limits.characters)}" for key, value in facts.items() if value]
    lines += [
        f"- at {marks.code(f'{frame.file}:{frame.line}', limits.characters)}"
        f" in {marks.code(frame.function, limits.characters)}"
        for frame in r.error.frames[: limits.entries // 4 + 1]
    ]
    return [f"### {r.error.kind.capitalize()}", "\n".join(lines), *marks.fence(r.error.statement or "", "sql", limits)]


def _stalls(r: Rehearsal, limits: Limits) -> list[str]:
    if not r.stalls:
        return []
    stalls = words.most_blocked(r.stalls)
    rows = [
        [
            marks.code(stall.table, limits.characters),
            _wait(stall.read_ms, r.budget.read_ms),
            _wait(stall.write_ms, r.budget.write_ms),
            "derived" if stall.derived else "measured",
            words.number(stall.rows),
            words.size(stall.size_bytes),
        ]
        for stall in stalls[: limits.entries]
    ]
    head = ["Table", "Readers wait", "Writers wait", "Known by", "Rows", "Size"]
    budget = f"budget: readers {words.milliseconds(r.budget.read_ms)}, writers {words.milliseconds(r.budget.write_ms)}"
    block = [marks.table(head, rows, "lrrlrr"), *marks.more(len(stalls), limits.entries, "table")]
    return ["### What users would have felt", *block, budget.capitalize() + "."]


def _twins(r: Rehearsal, limits: Limits) -> list[str]:
    shown = limits.entries // 2 + 1
    blocks = [block for twin in r.twins[:shown] for block in _twin(twin, limits)]
    more = marks.more(len(r.twins), shown, "safe twin")
    return ["### The safe twin, rehearsed beside it", *blocks, *more] if blocks else []


def _twin(twin: Twin, limits: Limits) -> list[str]:
    sign = _TWIN_SIGN.get(twins.standing(twin), "⚪")
    rows = [
        [
            marks.code(wait.table, limits.characters),
            twins.side_by_side(wait.read_ms, wait.twin_read_ms),
            twins.side_by_side(wait.write_ms, wait.twin_write_ms),
        ]
        for wait in twin.waits[: limits.entries // 4 + 1]
    ]
    left = [f"- {marks.text(line, limits)}" for line in twin.left[: limits.entries // 4 + 1]]
    title = f"{sign} {marks.code(twin.migration, limits.characters)}: {marks.text(twin.reason, limits)}"
    table = [marks.table(["Table", "Readers wait", "Writers wait"], rows, "lrr")] if rows else []
    files = [f"Files beside the report: {marks.code(twins.where(twin), limits.characters)}"] if twin.files else []
    return [title, *table, *(["\n".join(left)] if left else []), *files]


def _findings(r: Rehearsal, limits: Limits) -> list[str]:
    if not r.findings:
        return []
    findings = words.by_severity(r.findings)
    blocks = [_finding(finding, limits) for finding in findings[: limits.entries]]
    return ["### Findings", *blocks, *marks.more(len(findings), limits.entries, "finding")]


def _finding(finding: Finding, limits: Limits) -> str:
    where = f" on {marks.html_code(finding.table, limits)}" if finding.table else ""
    title = f"{_SIGN[finding.severity]} <b>{finding.hazard}</b> {marks.html(finding.name, limits)}{where}"
    blocks = [f"<details><summary>{title}</summary>", marks.text(finding.evidence.summary, limits)]
    blocks += _locked(finding.evidence, limits)
    if finding.migration:
        blocks.append(f"In {marks.code(finding.migration, limits.characters)}.")
    if finding.static:
        blocks.append(f"Static hints say so too: {_codes(finding.static, limits)}.")
    blocks.append(f"**Instead:** {marks.text(finding.advice.summary, limits)}")
    blocks += marks.fence(finding.advice.django, "python", limits)
    return "\n\n".join([*blocks, "</details>"])


def _locked(evidence: Evidence, limits: Limits) -> list[str]:
    if len(evidence.tables) < 2:
        return []
    rows = [
        [
            marks.code(table.table, limits.characters),
            words.mode(table.mode),
            words.milliseconds(table.held_ms),
            words.number(table.rows),
        ]
        for table in evidence.tables[: limits.entries // 2 + 1]
    ]
    return [marks.table(["Table", "Lock", "Held", "Rows"], rows, "llrr")]


def _hints(r: Rehearsal, limits: Limits) -> list[str]:
    """One line, behind which those are folded that nothing measured says."""
    said, hints = words.hinted(r), words.unmeasured(r)
    if not said:
        return []
    if not hints:
        return [f"**Static hints** {marks.text(said, limits)}."]
    rows = [
        [
            marks.code(hint.rule, limits.characters),
            " in ".join(marks.code(name, limits.characters) for name in (hint.table, hint.migration) if name),
            marks.text(hint.message, limits),
        ]
        for hint in hints[: limits.entries]
    ]
    table = marks.table(["Rule", "Where", "What it says"], rows, "lll")
    about = "Said of the text alone: nobody measured it, and the verdict does not count it."
    title = f"<details><summary><b>Static hints</b> {marks.html(said, limits)}</summary>"
    return ["\n\n".join([title, about, table, *marks.more(len(hints), limits.entries, "static hint"), "</details>"])]


def _codes(names: list[str], limits: Limits) -> str:
    return ", ".join(marks.code(name, limits.characters) for name in names[: limits.entries])


def _migrations(r: Rehearsal, limits: Limits) -> list[str]:
    if not r.migrations:
        return []
    felt = words.waits_by_migration(r)
    rows = []
    for run in r.migrations[: limits.entries]:
        strongest, waits = words.strongest_of(run), felt.get(words.label(run), words.Waits())
        rows.append(
            [
                marks.code(words.label(run), limits.characters),
                words.duration(run.seconds) if run.status == "applied" else run.status,
                str(len(run.statements)),
                words.mode(strongest.mode) if strongest else "–",
                _wait(waits.read_ms, r.budget.read_ms),
                _wait(waits.write_ms, r.budget.write_ms),
            ]
        )
    head = ["Migration", "Time", "Statements", "Strongest lock", "Readers wait", "Writers wait"]
    block = [marks.table(head, rows, "lrrlrr"), *marks.more(len(r.migrations), limits.entries, "migration")]
    return ["### Migrations", *block, *_slowest(r, limits)]


def _slowest(r: Rehearsal, limits: Limits) -> list[str]:
    everything = [statement for run in r.migrations for statement in run.statements]
    statements = [statement for statement in everything if statement.operation is not None or statement.locks]
    slowest = sorted(statements, key=lambda statement: -statement.seconds)[: limits.statements]
    if not slowest:
        return []
    blocks = [f"<details><summary>The slowest of {words.counted(len(everything), 'statement')}</summary>"]
    for statement in slowest:
        locks = {f"{words.mode(lock.mode)} on {lock.table}" for lock in statement.locks}
        held = [marks.code(lock, limits.characters) for lock in sorted(locks)[: limits.entries // 4 + 1]]
        blocks.append(" ".join([f"**{words.duration(statement.seconds)}**", ", ".join(held)]).rstrip())
        blocks += marks.fence(statement.sql, "sql", limits)
    return ["\n\n".join([*blocks, "</details>"])]


def _drills(r: Rehearsal, limits: Limits) -> list[str]:
    blocks = [_drill(drill, limits) for drill in r.drills[: limits.entries]]
    return ["### Drills", *blocks] if blocks else []


def _drill(drill: Drill, limits: Limits) -> str:
    """One line, behind which its steps are folded."""
    reason = f": {marks.html(drill.reason, limits)}" if drill.reason else ""
    title = f"{_DRILL_SIGN[drill.status]} <b>{drill.name}</b> {drill.status}{reason}"
    if not drill.steps:
        return title
    rows = [
        [marks.text(step.what, limits), step.status, marks.text(step.detail, limits)]
        for step in drill.steps[: limits.entries]
    ]
    table = marks.table(["Step", "Outcome", "Measured"], rows, "lll")
    parts = [f"<details><summary>{title}</summary>", table, *marks.more(len(drill.steps), limits.entries, "step")]
    return "\n\n".join([*parts, "</details>"])


def _fidelity(r: Rehearsal, limits: Limits) -> list[str]:
    f = r.fidelity
    lines = [
        f"- {r.source.kind}: {marks.text(r.source.description, limits)}",
        f"- PostgreSQL {marks.text(f.server_version, limits)}, time zone {marks.text(f.timezone, limits)}, "
        f"role {marks.code(f.role or '–', limits.characters)}, "
        f"lock_timeout {marks.code(f.lock_timeout or '–', limits.characters)}",
    ]
    lines += [f"- image {marks.code(words.image(r.image), limits.characters)}"] if r.image else []
    lines += [
        f"- {marks.code(d.setting, limits.characters)} is {marks.code(d.copy_value or '–', limits.characters)} here "
        f"and {marks.code(d.source_value or '–', limits.characters)} in the source"
        for d in f.differs[: limits.entries]
    ]
    lines += [f"- not let out: {marks.code(what, limits.characters)}" for what in f.refused[: limits.entries // 4 + 1]]
    lines += [f"- {marks.text(note, limits)}" for note in f.notes[: limits.entries // 4 + 1]]
    made_by = f"Rehearsal {marks.code(r.id, 80)}, Greenroom {marks.text(r.greenroom_version, limits)}"
    end = f"<sub>{made_by}. SQL is normalised; report.html has the timeline.</sub>"
    return ["\n\n".join(["<details><summary>What this rests on</summary>", "\n".join(lines), "</details>"]), end]


def _wait(ms: float, budget: float) -> str:
    shown = words.milliseconds(ms) if ms else "–"
    return f"**{shown}**" if ms > budget else shown
