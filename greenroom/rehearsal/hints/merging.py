"""Hints and findings that speak of one thing: the finding was measured, so it stands, and names the hint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from greenroom.rehearsal.document import Finding, Hint
from greenroom.rehearsal.hints.rules import HAZARDS, NOT_ALONE, OF_NEW_TABLES, SAID_BETTER
from greenroom.rehearsal.hints.subjects import Subject


@dataclass(frozen=True)
class Said:
    """A hint, with the statement that it is about."""

    hint: Hint
    subject: Subject


def merged(said: Iterable[Said], findings: Sequence[Finding]) -> tuple[list[Hint], list[Finding]]:
    """The hints that are worth saying, with the hazards that say the same, and the findings with those hints' names."""
    hints: list[Hint] = []
    named: dict[int, list[str]] = {}
    for one in _once(said):
        same = [at for at, finding in enumerate(findings) if _is_same(one, finding)]
        if not same and _is_silent(one):
            continue
        for at in same:
            named.setdefault(at, []).append(f"squawk: {one.hint.rule}")
        merged_with = sorted({findings[at].hazard for at in same})
        hints.append(one.hint.model_copy(update={"merged_with": merged_with}))
    static = {at: list(dict.fromkeys(names)) for at, names in named.items()}
    found = [finding.model_copy(update={"static": static.get(at, [])}) for at, finding in enumerate(findings)]
    return hints, found


def _once(said: Iterable[Said]) -> list[Said]:
    """One hint of a rule for a statement, however many columns it is said of; without what another says better."""
    kept = {(one.hint.migration, one.hint.statement, one.hint.rule): one for one in said}
    return [
        one
        for (*statement, rule), one in kept.items()
        if not any((*statement, better) in kept for better in SAID_BETTER.get(rule, ()))
    ]


def _is_same(one: Said, finding: Finding) -> bool:
    """Whether the rule is about that hazard, and both speak of one operation and table, where the finding has any."""
    hint = one.hint
    return (
        finding.hazard in HAZARDS.get(hint.rule, ())
        and finding.migration in (None, hint.migration)
        and finding.operation in (None, hint.operation)
        and (finding.table is None or one.subject.concerns(finding.table))
    )


def _is_silent(one: Said) -> bool:
    """Whether the rule says nothing that no finding says."""
    return one.hint.rule in NOT_ALONE or (one.subject.is_new and one.hint.rule not in OF_NEW_TABLES)
