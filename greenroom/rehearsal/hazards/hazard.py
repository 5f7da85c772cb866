"""What a hazard is: a row of the catalogue, with the function that finds it in observations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from greenroom.rehearsal.hazards.view import Match, View


@dataclass(frozen=True)
class Hazard:
    """One row. `django` is the safe twin as code, with `$names` for what is known of the finding.

    `hides` are hazards that the same operation would show as well, and that say less about it.
    """

    id: str
    name: str
    what: str
    why: str
    twin: str
    django: str
    detect: Callable[[View], Iterator[Match]]
    hides: frozenset[str] = frozenset()
