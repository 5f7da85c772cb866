"""Steps of a twin, each a migration: which can be one, and what must not be divided."""

from __future__ import annotations

from typing import Any, FrozenSet, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from .twin_bounds import Held, Setting
from .twin_sql import Unwritable


class Step(NamedTuple):
    """Operations that run together; steps of one kind and the same tables may be one, unless the kind is empty."""

    operations: List[Any]
    atomic: bool
    kind: str = ""
    tables: FrozenSet[str] = frozenset()
    settings: Tuple[Setting, ...] = ()  # in force when it begins
    model: Optional[str] = None
    held: Held = Held()  # beyond its end, where it is kept as it was


def joined(steps: Iterable[Step]) -> List[Step]:
    """As few as can be. Raises Unwritable where the migration holds what a division would end early."""
    return _whole(_merged(steps))


def _merged(steps: Iterable[Step]) -> List[Step]:
    """Neighbours of one kind that lock the same tables are one migration."""
    found: List[Step] = []
    for step in steps:
        last = found[-1] if found else None
        if last and step.kind and (step.kind, step.atomic, step.tables) == (last.kind, last.atomic, last.tables):
            both = Held((), last.held.lost or step.held.lost, last.held.only_sets and step.held.only_sets)
            found[-1] = last._replace(operations=[*last.operations, *step.operations], held=both)
        else:
            found.append(step)
    return found


def _whole(steps: Sequence[Step]) -> List[Step]:
    """Without steps that would only set what each step sets for itself. Raises Unwritable where a split loses more."""
    lost = next((step.held.lost for step in steps[:-1] if step.held.lost), None)
    if lost:
        raise Unwritable("what holds until its end (%s) would end with one of the steps" % lost)
    places = [place for place, step in enumerate(steps) if not step.held.only_sets]
    if not places:
        return list(steps)
    after = [operation for step in steps[places[-1] + 1 :] for operation in step.operations]
    *kept, last = [steps[place] for place in places]
    return [*kept, last._replace(operations=[*last.operations, *after])]  # that is for the migrations after it
