"""`report.md`: a comment for a pull request, under 60 kB, its details folded."""

from __future__ import annotations

import re
from collections.abc import Iterable

from greenroom.rehearsal.document import Drill, Evidence, Finding, Rehearsal, Twin
from greenroom.rehearsal.report import twins, words
from greenroom.rehearsal.report.limits import Limits, fitted

MAX_BYTES = 60_000
WIDEST = Limits(entries=30, statements=8, characters=600)

_SIGN = {"pass": "🟢", "warn": "🟡", "fail": "🔴", "note": "⚪", "warning": "🟡", "failure": "🔴"}
_DRILL_SIGN = {"passed": "🟢", "failed": "🔴", "not run": "⚪", "broken off": "🟡"}
_TWIN_SIGN = {"passes": "🟢", "does not pass": "🔴", "failed": "🔴"}
_SPECIAL = re.compile(r"([\\`*\[\]<>|~#&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_MENTION = re.compile(r"@(?=\w)")


def render(rehearsal: Rehearsal) -> str:
    """The comment. The first three lines say whether this may go out, what users would notice, and what to do."""
    return fitted(lambda limits: _comment(rehearsal, limits), WIDEST, MAX_BYTES)


def _comment(rehearsal: Rehearsal, limits: Limits) -> str:
    sections = (_top, _error, _stalls, _twins, _findings, _hints, _migrations, _drills, _fidelity)
    blocks = [block for section in sections for block in section(rehearsal, limits)]
    return "\n\n".join(blocks) + "\n"


def _top(r: Rehearsal, limits: Limits) -> list[str]:
    first = f"{_SIGN[r.verdict]} **{r.verdict.upper()}**  {_text(words.headline(r), limits)}"
    lines = [
        first,
        f"**What users would notice:** {_text(words.noticed(r), limits)}",
        f"**What to do:** {_text(words.todo(r), limits)}",
    ]
    shown = limits.entries // 4 + 2
    reasons = [f"- {_text(reason, limits)}" for reason in r.reasons[1:shown]]
    further = ["Further reasons:", "\n".join(reasons), *_more(len(r.reasons), shown, "reason")] if reasons else []
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
    lines = [f"- {key}: {code(value, limits.characters)}" for key, value in facts.items() if value]
    lines += [
        f"- at {code(f'{frame.file}:{frame.line}', limits.characters)} in {code(frame.function, limits.characters)}"
        for frame in r.error.frames[: limits.entries // 4 + 1]
    ]
    return [f"### {r.error.kind.capitalize()}", "\n".join(lines), *_fence(r.error.statement or "", "sql", limits)]


def _stalls(r: Rehearsal, limits: Limits) -> list[str]:
    if not r.stalls:
        return []
    stalls = words.most_blocked(r.stalls)
    rows = [
        [
            code(stall.table, limits.characters),
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
    block = [_table(head, rows, "lrrlrr"), *_more(len(stalls), limits.entries, "table")]
    return ["### What users would have felt", *block, budget.capitalize() + "."]


def _twins(r: Rehearsal, limits: Limits) -> list[str]:
    shown = limits.entries // 2 + 1
    blocks = [block for twin in r.twins[:shown] for block in _twin(twin, limits)]
    more = _more(len(r.twins), shown, "safe twin")
    return ["### The safe twin, rehearsed beside it", *blocks, *more] if blocks else []


def _twin(twin: Twin, limits: Limits) -> list[str]:
    sign = _TWIN_SIGN.get(twins.standing(twin), "⚪")
    rows = [
        [
            code(wait.table, limits.characters),
            twins.side_by_side(wait.read_ms, wait.twin_read_ms),
            twins.side_by_side(wait.write_ms, wait.twin_write_ms),
        ]
        for wait in twin.waits[: limits.entries // 4 + 1]
    ]
    left = [f"- {_text(line, limits)}" for line in twin.left[: limits.entries // 4 + 1]]
    title = f"{sign} {code(twin.migration, limits.characters)}: {_text(twin.reason, limits)}"
    table = [_table(["Table", "Readers wait", "Writers wait"], rows, "lrr")] if rows else []
    files = [f"Files beside the report: {code(twins.where(twin), limits.characters)}"] if twin.files else []
    return [title, *table, *(["\n".join(left)] if left else []), *files]


def _findings(r: Rehearsal, limits: Limits) -> list[str]:
    if not r.findings:
        return []
    findings = words.by_severity(r.findings)
    blocks = [_finding(finding, limits) for finding in findings[: limits.entries]]
    return ["### Findings", *blocks, *_more(len(findings), limits.entries, "finding")]


def _finding(finding: Finding, limits: Limits) -> str:
    where = f" on {_html_code(finding.table, limits)}" if finding.table else ""
    title = f"{_SIGN[finding.severity]} <b>{finding.hazard}</b> {_html(finding.name, limits)}{where}"
    blocks = [f"<details><summary>{title}</summary>", _text(finding.evidence.summary, limits)]
    blocks += _locked(finding.evidence, limits)
    if finding.migration:
        blocks.append(f"In {code(finding.migration, limits.characters)}.")
    if finding.static:
        blocks.append(f"Static hints say so too: {_codes(finding.static, limits)}.")
    blocks.append(f"**Instead:** {_text(finding.advice.summary, limits)}")
    blocks += _fence(finding.advice.django, "python", limits)
    return "\n\n".join([*blocks, "</details>"])


def _locked(evidence: Evidence, limits: Limits) -> list[str]:
    if len(evidence.tables) < 2:
        return []
    rows = [
        [
            code(table.table, limits.characters),
            words.mode(table.mode),
            words.milliseconds(table.held_ms),
            words.number(table.rows),
        ]
        for table in evidence.tables[: limits.entries // 2 + 1]
    ]
    return [_table(["Table", "Lock", "Held", "Rows"], rows, "llrr")]


def _hints(r: Rehearsal, limits: Limits) -> list[str]:
    """One line, behind which those are folded that nothing measured says."""
    said, hints = words.hinted(r), words.unmeasured(r)
    if not said:
        return []
    if not hints:
        return [f"**Static hints** {_text(said, limits)}."]
    rows = [
        [
            code(hint.rule, limits.characters),
            " in ".join(code(name, limits.characters) for name in (hint.table, hint.migration) if name),
            _text(hint.message, limits),
        ]
        for hint in hints[: limits.entries]
    ]
    table = _table(["Rule", "Where", "What it says"], rows, "lll")
    about = "Said of the text alone: nobody measured it, and the verdict does not count it."
    title = f"<details><summary><b>Static hints</b> {_html(said, limits)}</summary>"
    return ["\n\n".join([title, about, table, *_more(len(hints), limits.entries, "static hint"), "</details>"])]


def _codes(names: list[str], limits: Limits) -> str:
    return ", ".join(code(name, limits.characters) for name in names[: limits.entries])


def _migrations(r: Rehearsal, limits: Limits) -> list[str]:
    if not r.migrations:
        return []
    felt = words.waits_by_migration(r)
    rows = []
    for run in r.migrations[: limits.entries]:
        strongest, waits = words.strongest_of(run), felt.get(words.label(run), words.Waits())
        rows.append(
            [
                code(words.label(run), limits.characters),
                words.duration(run.seconds) if run.status == "applied" else run.status,
                str(len(run.statements)),
                words.mode(strongest.mode) if strongest else "–",
                _wait(waits.read_ms, r.budget.read_ms),
                _wait(waits.write_ms, r.budget.write_ms),
            ]
        )
    head = ["Migration", "Time", "Statements", "Strongest lock", "Readers wait", "Writers wait"]
    block = [_table(head, rows, "lrrlrr"), *_more(len(r.migrations), limits.entries, "migration")]
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
        held = [code(lock, limits.characters) for lock in sorted(locks)[: limits.entries // 4 + 1]]
        blocks.append(" ".join([f"**{words.duration(statement.seconds)}**", ", ".join(held)]).rstrip())
        blocks += _fence(statement.sql, "sql", limits)
    return ["\n\n".join([*blocks, "</details>"])]


def _drills(r: Rehearsal, limits: Limits) -> list[str]:
    blocks = [_drill(drill, limits) for drill in r.drills[: limits.entries]]
    return ["### Drills", *blocks] if blocks else []


def _drill(drill: Drill, limits: Limits) -> str:
    """One line, behind which its steps are folded."""
    reason = f": {_html(drill.reason, limits)}" if drill.reason else ""
    title = f"{_DRILL_SIGN[drill.status]} <b>{drill.name}</b> {drill.status}{reason}"
    if not drill.steps:
        return title
    rows = [
        [_text(step.what, limits), step.status, _text(step.detail, limits)] for step in drill.steps[: limits.entries]
    ]
    table = _table(["Step", "Outcome", "Measured"], rows, "lll")
    parts = [f"<details><summary>{title}</summary>", table, *_more(len(drill.steps), limits.entries, "step")]
    return "\n\n".join([*parts, "</details>"])


def _fidelity(r: Rehearsal, limits: Limits) -> list[str]:
    f = r.fidelity
    lines = [
        f"- {r.source.kind}: {_text(r.source.description, limits)}",
        f"- PostgreSQL {_text(f.server_version, limits)}, time zone {_text(f.timezone, limits)}, "
        f"role {code(f.role or '–', limits.characters)}, lock_timeout {code(f.lock_timeout or '–', limits.characters)}",
    ]
    lines += [f"- image {code(words.image(r.image), limits.characters)}"] if r.image else []
    lines += [
        f"- {code(d.setting, limits.characters)} is {code(d.copy_value or '–', limits.characters)} here "
        f"and {code(d.source_value or '–', limits.characters)} in the source"
        for d in f.differs[: limits.entries]
    ]
    lines += [f"- not let out: {code(what, limits.characters)}" for what in f.refused[: limits.entries // 4 + 1]]
    lines += [f"- {_text(note, limits)}" for note in f.notes[: limits.entries // 4 + 1]]
    made_by = f"Rehearsal {code(r.id, 80)}, Greenroom {_text(r.greenroom_version, limits)}"
    end = f"<sub>{made_by}. SQL is normalised; report.html has the timeline.</sub>"
    return ["\n\n".join(["<details><summary>What this rests on</summary>", "\n".join(lines), "</details>"]), end]


def code(text: str, length: int) -> str:
    """A code span that holds anything: backticks inside are fenced by longer ones."""
    shown = words.cut(words.clean(text).strip(), length) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    gap = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{fence}{gap}{shown}{gap}{fence}"


def _text(text: str, limits: Limits) -> str:
    """Text of the document as text: no markup, no HTML, and nobody is called by a mention."""
    escaped = _SPECIAL.sub(r"\\\1", words.cut(words.clean(text), limits.characters))
    return _MENTION.sub("@<!-- -->", escaped)


def _html(text: str, limits: Limits) -> str:
    shown = words.cut(words.clean(text), limits.characters)
    for letter in "&<>\"'`*_[]|\\@":
        shown = shown.replace(letter, f"&#{ord(letter)};") if letter != "&" else shown.replace("&", "&amp;")
    return shown


def _html_code(text: str, limits: Limits) -> str:
    return f"<code>{_html(text, limits)}</code>"


def _fence(text: str, language: str, limits: Limits) -> list[str]:
    if not text:
        return []
    shown = words.cut("\n".join(map(words.clean, text.split("\n"))), 3 * limits.characters)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return [f"{fence}{language}\n{shown}\n{fence}"]


def _wait(ms: float, budget: float) -> str:
    shown = words.milliseconds(ms) if ms else "–"
    return f"**{shown}**" if ms > budget else shown


def _table(head: list[str], rows: Iterable[list[str]], align: str) -> str:
    """A pipe would end a cell, in a code span too."""
    rule = [":--" if side == "l" else "--:" for side in align]
    inside = [[cell.replace("|", "\\|") for cell in cells] for cells in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *inside])


def _more(total: int, shown: int, what: str) -> list[str]:
    return (
        [f"_{words.counted(total - shown, f'more {what}')} left out here; rehearsal.json has them all._"]
        if total > shown
        else []
    )
