"""The registry for a person at a terminal: all of it as a table, and what a word finds."""

from __future__ import annotations

from pathlib import Path

from greenroom.environment.finding import find
from greenroom.environment.registry import KINDS, Kind, Registry, Variable
from greenroom.errors import GreenroomError

DEFAULT_SHOWN = 28  # characters of a default


def table(registry: Registry, kind: Kind | None) -> str:
    """A line for each variable, under headings. `kind`: as one of the three environments has it."""
    origins = [f"in {shown.replace('-', ' ')}" for shown in KINDS] if kind is None else ["comes from"]
    rows = [("name", "type", "required", "secret", "default", *origins)]
    rows += [_row(variable, kind) for variable in registry.variables.values()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def found(registry: Registry, word: str, source: Path) -> tuple[str, bool]:
    """What to reuse, or how to add one; and whether there is anything to reuse. `source`: the registry's own file.

    Raises GreenroomError where there is no word.
    """
    if not word.strip():
        raise GreenroomError("env-find looks for a word, and there is none.", "Such as: ./inv env-find password")
    variables = find(registry, word)
    if not variables:
        return f"Nothing in the registry is like {word}.\n{_adding(source)}", False
    lines = [line for variable, why in variables for line in _described(variable, why)]
    return "\n".join([*lines, f"Reuse one of these where it means the same. {_adding(source)}"]), True


def _row(variable: Variable, kind: Kind | None) -> tuple[str, ...]:
    shown = kind or "production-container"
    default = variable.default_in(shown)
    return (
        variable.name,
        variable.type.partition(" of ")[0],
        "yes" if variable.required_in(shown) else "-",
        "yes" if variable.secret else "-",
        default if len(default) <= DEFAULT_SHOWN else f"{default[: DEFAULT_SHOWN - 3]}...",
        *([variable.origin(each) for each in KINDS] if kind is None else [variable.origin(kind)]),
    )


def _described(variable: Variable, why: str) -> list[str]:
    marks = [variable.type, *(["required"] if variable.required else []), *(["secret"] if variable.secret else [])]
    return [f"{variable.name} ({', '.join(marks)}): {why}", f"    {variable.description}"]


def _adding(source: Path) -> str:
    return f"A new one is declared in {source} with variable(...); then ./inv env-docs, and ./inv env-check."
