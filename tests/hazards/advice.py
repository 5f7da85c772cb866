"""What a finding advises, as migrations that can be run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

STEP = re.compile(r"^# .*\bmigrations?\b.*$", re.MULTILINE)  # `# next migration`
NOT_ATOMIC = "atomic = False"
HEAD = "from django.db import migrations, models"


def written(advice: str, directory: Path, first: str = "") -> list[Path]:
    """Each migration of an advice, as a file; `first` is one that it leaves to its reader."""
    known, steps = _parted(advice)
    files = []
    for number, text in enumerate(filter(None, [first, *steps]), start=1):
        before = "0001_initial" if number == 1 else f"{number:04}_step_{number - 1}"
        file = directory / f"step_{number}.py"
        file.write_text("\n\n".join([HEAD, *known, text, f'Migration.dependencies = [("shop", "{before}")]\n']))
        files.append(file)
    return files


def _parted(advice: str) -> tuple[list[str], list[str]]:
    """What all of its migrations know, and each of them: a class as it is, or one around loose operations."""
    known: list[str] = []
    loose: dict[str, list[str]] = {}
    steps: list[str] = []
    for heading, node in _headed(advice):
        text = ast.unparse(node)
        if isinstance(node, ast.ClassDef):
            steps.append(text)
        elif isinstance(node, ast.Expr):
            if heading not in loose:
                steps.append(heading)
            loose.setdefault(heading, []).append(text)
        else:
            known.append(text)
    return known, [_around(step, loose[step]) if step in loose else step for step in steps]


def _headed(advice: str) -> Iterator[tuple[str, ast.stmt]]:
    """Everything on the module's level, with the last heading before it, which has its place in it to be unique."""
    headings = [(advice.count("\n", 0, found.start()) + 1, found.group()) for found in STEP.finditer(advice)]
    for node in ast.parse(advice).body:
        yield next((f"{text} ({line})" for line, text in reversed(headings) if line < node.lineno), "# the only"), node


def _around(heading: str, operations: list[str]) -> str:
    lines = [f"    atomic = {NOT_ATOMIC not in heading}", f"    operations = [{', '.join(operations)}]"]
    return "\n".join(["class Migration(migrations.Migration):", *lines])


def read_under_lock(statements: list[tuple[str, str | None]]) -> list[str]:
    """Tables that were read while their writers were kept out; of (table, strongest lock held) of each scan."""
    stopping = {"ShareLock", "ShareRowExclusiveLock", "AccessExclusiveLock"}
    return [table for table, lock in statements if lock in stopping]
