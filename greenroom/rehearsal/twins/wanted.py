"""Which operations get a twin: those whose harm was measured, and can be avoided without a decision of anybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from greenroom.rehearsal import document as doc
from greenroom.rehearsal.observations import Relation

MECHANICAL = frozenset("H01 H02 H03 H04 H08 H09 H10 H11 H12 H13 H14 H15 H17 H41 H46".split())
OF_AN_INDEX = frozenset("H01 H02 H03 H04 H08 H09".split())  # avoided by CONCURRENTLY
OF_THE_WHOLE = frozenset({"H46"})  # what mends it is that every operation has a migration of its own
WHOLE = -1  # instead of an operation's index


@dataclass
class Wanted:
    """A migration, and the hazards above a note: by operation, and those that no mechanical twin avoids."""

    migration: str
    operations: dict[int, list[str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    partitioned: set[str] = field(default_factory=set)  # tables that the server refuses CONCURRENTLY on

    @property
    def hazards(self) -> list[str]:
        """That the twin is to avoid."""
        return sorted({hazard for hazards in self.operations.values() for hazard in hazards})


def wanted(findings: Iterable[doc.Finding], relations: Mapping[str, Relation]) -> list[Wanted]:
    """The migrations that a finding above a note blames for waiting; what breaks the running release is none of it."""
    found: dict[str, Wanted] = {}
    for finding in findings:
        if finding.severity == "note" or finding.drill or not finding.migration or finding.hazard[0] != "H":
            continue
        one = found.setdefault(finding.migration, Wanted(finding.migration))
        relation = relations.get(finding.table or "")
        if finding.table and relation and relation.partitions and finding.hazard in OF_AN_INDEX:
            one.partitioned.add(finding.table)
            one.others.append(finding.hazard)
        elif finding.hazard in MECHANICAL and (finding.operation is not None or finding.hazard in OF_THE_WHOLE):
            at = WHOLE if finding.operation is None else finding.operation
            one.operations.setdefault(at, []).append(finding.hazard)
        elif finding.hazard not in one.others:
            one.others.append(finding.hazard)
    return list(found.values())


def nothing(one: Wanted, why: str = "") -> doc.Twin:
    """No file was written, with the reason."""
    hazards = one.hazards or one.others
    told = why or f"{', '.join(hazards)}: what avoids {'it' if len(hazards) == 1 else 'them'} has to be thought out."
    if one.partitioned and not why:
        tables = ", ".join(sorted(one.partitioned))
        told = f"{', '.join(hazards)}: CONCURRENTLY is refused on a partitioned table ({tables})"
        told += "; the advice says what to do in its place."
    return doc.Twin(migration=one.migration, hazards=hazards, status="not written", reason=told)
