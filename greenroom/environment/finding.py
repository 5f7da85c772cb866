"""Is there a variable for this already? By name, by description, and by likeness."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

from greenroom.environment.registry import Registry, Variable

ALIKE = 0.62  # of two names without their prefix, by difflib: worth a look
MEANT = 0.68  # probably a slip
LETTERS = 3  # a shorter part of a word stands in too many descriptions


class Found(NamedTuple):
    """A variable, and why it is shown."""

    variable: Variable
    why: str


def find(registry: Registry, word: str) -> list[Found]:
    """The variables that a word may mean, the likeliest first; by description only those that have most of it."""
    ranked = [
        (rank, Found(variable, why)) for variable in registry.variables.values() for rank, why in [_fit(variable, word)]
    ]
    described = max((rank for rank, _ in ranked if rank <= 1), default=0)
    fitting = [(rank, found) for rank, found in ranked if rank > 1 or rank == described > 0]
    return [found for _, found in sorted(fitting, key=lambda pair: -pair[0])]


def nearest(registry: Registry, name: str) -> str | None:
    """The declared name that is most like this one, for `is it meant?`."""
    best = max(registry.variables, key=lambda known: _alike(name, known), default=None)
    return best if best and _alike(name, best) >= MEANT else None


def _fit(variable: Variable, word: str) -> tuple[float, str]:
    """How well a word fits, and why: over 2 by the name, over 1 by a name like it, up to 1 by the description."""
    wanted = word.strip().upper().replace("-", "_")
    if wanted and wanted in variable.name:
        return 2 + len(wanted) / len(variable.name), "its name"
    alike = _alike(wanted, variable.name)
    if alike >= ALIKE:
        return 1 + alike, "a name like it"
    parts = [part for part in re.split(r"[^a-z0-9]+", word.lower()) if len(part) >= LETTERS]
    text = f"{variable.description} {' '.join(variable.used_by)}".lower()
    known = [part for part in parts if re.search(rf"\b{re.escape(part)}", text)]
    return len(known) / max(1, len(parts)), "its description"


def _alike(name: str, known: str) -> float:
    """From 0 to 1; what all names begin with does not count."""
    prefix = f"{known.partition('_')[0]}_"
    return SequenceMatcher(None, name.removeprefix(prefix), known.removeprefix(prefix)).ratio()
