"""What the running release could do on both schemas, compared: what broke, what held, and what nobody can say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from greenroom.rehearsal.drills.old_release.exercise import Try

CORE = ("read", "insert", "update", "delete")  # what a model must do on the old schema to be judged fully
WRITES = CORE[1:]
UNKNOWN = {
    "UnexpectedNull": "the new release may write NULL there, which it does not expect",
    "UnknownChoice": "the new release may write a choice that it does not know",
    "OutOfRange": "the new release may write a larger number than it expects",
}


class Seen:
    """All tries, but for models that are not in this database: unmanaged ones without a relation on the old schema."""

    def __init__(self, before: list[Try], after: list[Try]) -> None:
        absent = {one.model for one in before if not one.managed and one.action == "read" and one.sqlstate == "42P01"}
        # a table that is gone has no place after it; what is asked of content types has no columns at all
        places = {(one.model, one.action): (one.table, one.inherited) for one in before}
        self.before = [one for one in before if one.model not in absent]
        self.after = [
            _placed(one, *places.get((one.model, one.action), ())) for one in after if one.model not in absent
        ]
        self.models = list(dict.fromkeys(one.model for one in self.after))
        self._refused = {(one.model, one.action): one for one in self.before if one.exception}

    def owner(self, one: Try) -> Try:
        """A try of the model whose table refused it: itself, unless that is another model's."""
        return self.of_table(one.elsewhere, one) if one.elsewhere else one

    def of_table(self, table: str, one: Try) -> Try:
        """A try of the model with this table, as `one` sees it: itself, its own parent, a managed one before others.

        Several models may have one table; `one` again, where none has it.
        """
        if table in (one.table, one.place):
            return one
        there = [other for other in self.after if table in (other.table, other.place) and other.columns]
        parents = [other for other in there if one.inherited.get(other.table) == other.columns]
        return max(parents or there, key=lambda other: other.managed, default=one)

    @cached_property
    def broken(self) -> list[Try]:
        """Tries that went well on the old schema and fail on the new one, and look-ups that lost their index."""
        went_well = {(one.model, one.action): one for one in self.before if one.exception is None}
        found = []
        for one in self.after:
            was = went_well.get((one.model, one.action))
            if one.action == "understand" and one.exception not in UNKNOWN:
                continue  # well, or it cannot even read them, which `read` tells
            if was and (one.exception or set(one.scans) - set(was.scans)):
                found.append(one)
        return found

    @cached_property
    def blamed(self) -> list[Try]:
        """Of `broken`, but for what the table of another model refuses, where that model is blamed itself."""
        own = {(one.place, one.sqlstate) for one in self.broken if not one.elsewhere}
        return [one for one in self.broken if (one.elsewhere, one.sqlstate) not in own]

    def elsewhere(self, model: str) -> dict[str, list[str]]:
        """Actions of the model that another one's table refuses, by that table."""
        found: dict[str, list[str]] = {}
        for one in self.broken:
            if one.model == model and one not in self.blamed and one.elsewhere:
                found.setdefault(one.elsewhere, []).append(one.action)
        return found

    def well(self, model: str) -> int:
        """How many tries went as before."""
        mine = [one for one in self.after if one.model == model]
        return len(mine) - sum((model, one.action) in self._refused or one in self.broken for one in mine)

    def unjudged(self, model: str) -> list[str]:
        """Actions that fail on the old schema already; one that was tried field by field stands for its fields."""
        tried = [one.action for one in self.before if one.model == model]
        refused = [action for of, action in self._refused if of == model]
        return sorted(one for one in refused if not any(action.startswith(f"{one} in ") for action in tried))

    def in_part(self, model: str) -> bool:
        """Whether an ordinary read, insert, update or delete could not be judged."""
        elsewhere = [action for actions in self.elsewhere(model).values() for action in actions]
        return any(action in CORE for action in (*self.unjudged(model), *elsewhere))

    @property
    def nothing_judged(self) -> bool:
        """Whether no write of the project's own models went well on the old schema, though some were tried."""
        writes = [one for one in self.before if one.action in WRITES]
        own = [one for one in writes if one.own] or writes
        return bool(own) and all(one.exception for one in own)


def _placed(one: Try, table: str = "", inherited: Mapping[str, tuple[str, ...]] | None = None) -> Try:
    """With the tables' names, and their schemas, as they were before."""
    return replace(one, table=table, inherited=inherited or {}) if table else one
