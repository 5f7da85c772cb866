"""The result in the terminal: what a person reads in ten seconds, and where the rest lies."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from greenroom.rehearsal.document import Finding, MigrationRun, Rehearsal
from greenroom.rehearsal.report import twins, words

MIGRATIONS = 12
FINDINGS = 8
REASONS = 4
CODE_LINES = 14
HINTS = 3
TWINS, WAITS = 3, 2  # and tables of each

_COLOUR = {"pass": "green", "warn": "yellow", "fail": "red", "note": "blue", "warning": "yellow", "failure": "red"}


def show(rehearsal: Rehearsal, directory: Path, file: TextIO | None = None) -> None:
    """Print the result to `file` (standard output); `directory` is where the report lies.

    Colours on a terminal only, and never under NO_COLOR; a character that the encoding lacks becomes a question mark.
    """
    target = file or sys.stdout
    terminal = Console(file=target)
    encoding = getattr(target, "encoding", None) or "utf-8"
    target.write(_printed(rehearsal, directory, terminal).encode(encoding, "replace").decode(encoding))


def render(rehearsal: Rehearsal, directory: Path, width: int = 80) -> str:
    """The same as plain text."""
    return _printed(rehearsal, directory, Console(file=io.StringIO(), width=width, force_terminal=False, no_color=True))


def _printed(rehearsal: Rehearsal, directory: Path, terminal: Console) -> str:
    with terminal.capture() as captured:
        terminal.print()
        terminal.print(Group(*_story(rehearsal)), highlight=False)
        terminal.print(Text.assemble(("report".ljust(20), "dim"), _path(directory / "report.html")), soft_wrap=True)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _story(r: Rehearsal) -> Iterator[RenderableType]:
    colour = _COLOUR[r.verdict]
    yield _hung(Text(r.verdict.upper(), f"bold {colour}"), Text(words.clean(words.headline(r)), "bold"), 4)
    for reason in r.reasons[1:REASONS]:
        yield _hung(Text(), Text(words.clean(reason)), 4)
    if len(r.reasons) > REASONS:
        yield _hung(Text(), Text(f"and {words.counted(len(r.reasons) - REASONS, 'more reason')}", "dim"), 4)
    yield Text()
    yield _hung(Text("users would notice", "dim"), Text(words.clean(words.noticed(r))), 18)
    yield _hung(Text("what to do", "dim"), Text(words.clean(words.todo(r))), 18)
    yield from _error(r)
    yield from _migrations(r)
    yield from _drills(r)
    yield from _twins(r)
    yield from _findings(r)
    yield from _hints(r)
    yield Text()
    if r.image:
        yield _hung(Text("image", "dim"), Text(words.clean(words.image(r.image))), 18)


def _error(r: Rehearsal) -> Iterator[RenderableType]:
    error = r.error
    if error is None:
        return
    facts = [
        (error.kind, error.migration),
        ("operation", words.broken_operation(r)),
        ("exception", " ".join(filter(None, [error.exception, f"({error.sqlstate})" if error.sqlstate else None]))),
        ("statement", words.cut(error.statement or "", 300)),
        ("waited for", error.waiting_for),
        *(("at", f"{frame.file}:{frame.line} in {frame.function}") for frame in error.frames[:4]),
    ]
    yield Text()
    for name, fact in facts:
        if fact:
            yield _hung(Text(name, "red" if name == error.kind else "dim"), Text(words.clean(fact)), 18)


def _migrations(r: Rehearsal) -> Iterator[RenderableType]:
    if not r.migrations:
        return
    felt = words.waits_by_migration(r)
    shown = _telling(r.migrations)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    table.add_column("migration", overflow="fold", min_width=16)
    for name in ("time", "stmts"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("strongest lock", max_width=16)
    for name in ("readers", "writers"):
        table.add_column(f"{name}\nwait", justify="right", no_wrap=True)
    for run in shown:
        waits, strongest = felt.get(words.label(run), words.Waits()), words.strongest_of(run)
        table.add_row(
            Text(words.clean(words.squeezed(words.label(run), 120))),
            words.duration(run.seconds)
            if run.status == "applied"
            else Text(run.status, "red" if run.status == "failed" else "dim"),
            str(len(run.statements)),
            words.mode(strongest.mode) if strongest else "–",
            _wait(waits.read_ms, r.budget.read_ms),
            _wait(waits.write_ms, r.budget.write_ms),
        )
    yield Text()
    yield table
    if len(r.migrations) > len(shown):
        yield Text(f"and {words.counted(len(r.migrations) - len(shown), 'more migration')}, none of them longer", "dim")


def _telling(runs: list[MigrationRun]) -> list[MigrationRun]:
    """The failed ones and the longest, in the order in which they ran."""
    places = sorted(range(len(runs)), key=lambda at: (runs[at].status != "failed", -runs[at].seconds))[:MIGRATIONS]
    return [runs[at] for at in sorted(places)]


def _drills(r: Rehearsal) -> Iterator[RenderableType]:
    if not r.drills:
        return
    yield Text()
    for drill in r.drills:
        colour = {"passed": "green", "failed": "red", "not run": "dim", "broken off": "yellow"}[drill.status]
        name = Text.assemble((f"{drill.name} ", "bold"), (drill.status, colour))
        yield _hung(name, Text(words.clean(drill.reason), "dim" if drill.status == "not run" else ""), 19)


def _twins(r: Rehearsal) -> Iterator[RenderableType]:
    for twin in r.twins[:TWINS]:
        colour = "green" if twin.passes else "red" if twin.status in ("rehearsed", "failed") else "dim"
        yield Text()
        title = Text.assemble(
            (words.clean(words.squeezed(twin.migration, 80)), "bold"), (f" {twins.standing(twin)}", colour)
        )
        yield _hung(Text("safe twin", "dim"), title, 18)
        said = "" if twin.passes and not twin.remaining else twin.reason
        lines = [*(twins.told(wait) for wait in twin.waits[:WAITS]), said, twins.where(twin)]
        for line in filter(None, lines):
            yield _hung(Text(), Text(words.clean(words.cut(line, 110))), 18)
    if len(r.twins) > TWINS:
        yield Text(f"and {words.counted(len(r.twins) - TWINS, 'more safe twin')} in the report", "dim")


def _findings(r: Rehearsal) -> Iterator[RenderableType]:
    findings = words.by_severity(r.findings)
    for place, finding in enumerate(findings[:FINDINGS]):
        yield Text()
        yield from _finding(finding)
        if place == 0 and finding.severity == "failure" and finding.advice.django:
            yield Padding(Text(_code(finding.advice.django), "dim"), (0, 0, 0, 16))
    if len(findings) > FINDINGS:
        yield Text()
        yield Text(f"and {words.counted(len(findings) - FINDINGS, 'more finding')} in the report", "dim")


def _finding(finding: Finding) -> Iterator[RenderableType]:
    colour = _COLOUR[finding.severity]
    title = Text.assemble((f"{words.clean(finding.name)}", "bold"))
    if finding.table:
        title.append(f"  {words.clean(words.squeezed(finding.table, 80))}")
    if finding.migration:
        title.append(f"  {words.clean(words.squeezed(finding.migration, 80))}", "dim")
    yield _hung(Text(f"{finding.severity} {finding.hazard}", f"bold {colour}"), title, 12)
    yield _hung(Text(), Text(words.clean(finding.evidence.summary)), 12)
    yield _hung(Text(), Text(f"→ {words.clean(finding.advice.summary)}"), 12)


def _hints(r: Rehearsal) -> Iterator[RenderableType]:
    """How many static hints there are, and those that nothing measured says."""
    if not words.hinted(r):
        return
    hints = words.unmeasured(r)
    yield Text()
    yield _hung(Text("static hints", "dim"), Text(words.clean(words.hinted(r))), 18)
    for hint in hints[:HINTS]:
        where = " in ".join(filter(None, [hint.table, hint.migration]))
        line = Text.assemble(words.clean(hint.rule), (f"  {words.clean(words.squeezed(where, 60))}", "dim"))
        yield _hung(Text(), line, 18)
    if len(hints) > HINTS:
        yield _hung(
            Text(), Text(f"and {words.counted(len(hints) - HINTS, 'more static hint')} in the report", "dim"), 18
        )


def _code(django: str) -> str:
    """The safe twin of the worst finding; the others stand in the report."""
    lines = [words.clean(line) for line in django.splitlines()]
    return "\n".join(lines[:CODE_LINES] + (["…"] if len(lines) > CODE_LINES else []))


def _wait(ms: float, budget: float) -> Text:
    style = "bold red" if ms > budget else "yellow" if ms > budget / 5 else ""
    return Text(words.milliseconds(ms) if ms else "–", style)


def _path(path: Path) -> str:
    """From where the person stands, when it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _hung(left: Text, right: Text, width: int) -> Table:
    """Two columns: the left of a fixed width, the right wrapped beside it."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=width, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(left, right)
    return grid
