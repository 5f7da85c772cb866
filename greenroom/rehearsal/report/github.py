"""Workflow commands of GitHub Actions: a finding stands beside the line of the migration that it is about.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands says how they are written.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from greenroom.rehearsal.document import Finding, Rehearsal
from greenroom.rehearsal.report import words

MOST = 10  # of a level: GitHub shows no more of one step
LEVELS = {"failure": "error", "warning": "warning", "note": "notice"}


@dataclass(frozen=True)
class Place:
    """Where a finding stands: a path below the repository's top, and a line from 1 on."""

    file: str
    line: int


def render(rehearsal: Rehearsal, project: Path, top: Path) -> str:
    """The commands, a line each, with the verdict first; migrations are looked for below `project`."""
    answer = {"pass": "notice", "warn": "warning", "fail": "error"}[rehearsal.verdict]
    lines = [_command(answer, None, f"Rehearsal: {rehearsal.verdict}", words.headline(rehearsal))]
    written: Counter[str] = Counter({answer: 1})
    sources = _sources(rehearsal, project)
    for finding in words.by_severity(rehearsal.findings):
        level = LEVELS[finding.severity]
        written[level] += 1
        if written[level] <= MOST:
            message = f"{words.clean(finding.evidence.summary)}\nInstead: {words.clean(finding.advice.summary)}"
            title = f"{finding.hazard} {finding.name}"
            lines.append(_command(level, _place(finding, sources, top), title, message))
    return "\n".join(lines) + "\n"


def line_of(source: str, operation: int | None) -> int:
    """The line of the operation with that index, counted as the plan counts them; 1 where it cannot be known."""
    if operation is None:
        return 1
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return 1
    lists = [
        statement.value.elts
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Migration"
        for statement in node.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.List)
        if any(isinstance(target, ast.Name) and target.id == "operations" for target in statement.targets)
    ]
    nodes = [node for elements in lists for node in _flattened(elements)]
    return nodes[operation].lineno if operation < len(nodes) else 1


def _flattened(elements: list[ast.expr]) -> Iterator[ast.expr]:
    """SeparateDatabaseAndState runs its database_operations instead of itself."""
    for element in elements:
        inside = [
            keyword.value.elts
            for keyword in (element.keywords if isinstance(element, ast.Call) else [])
            if keyword.arg == "database_operations" and isinstance(keyword.value, ast.List)
        ]
        if inside:
            yield from _flattened(inside[0])
        elif not _is_state_only(element):
            yield element


def _is_state_only(element: ast.expr) -> bool:
    if not isinstance(element, ast.Call):
        return False
    name = element.func.attr if isinstance(element.func, ast.Attribute) else getattr(element.func, "id", "")
    return name == "SeparateDatabaseAndState"


def _sources(rehearsal: Rehearsal, project: Path) -> dict[str, Path]:
    """The migrations' files, by `app.name`: of one name, it is the one with the planned content."""
    found = {}
    for planned in rehearsal.plan.migrations:
        for path in project.rglob(f"migrations/{planned.name}.py"):
            if hashlib.sha256(path.read_bytes()).hexdigest() == planned.sha256:
                found[f"{planned.app}.{planned.name}"] = path
    return found


def _place(finding: Finding, sources: dict[str, Path], top: Path) -> Place | None:
    path = sources.get(finding.migration or "")
    if path is None or not path.resolve().is_relative_to(top.resolve()):
        return None
    line = line_of(path.read_text(encoding="utf-8", errors="replace"), finding.operation)
    return Place(path.resolve().relative_to(top.resolve()).as_posix(), line)


def _command(level: str, place: Place | None, title: str, message: str) -> str:
    about = {"file": place.file, "line": str(place.line)} if place else {}
    properties = ",".join(f"{name}={_property(value)}" for name, value in {**about, "title": title}.items())
    return f"::{level} {properties}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
