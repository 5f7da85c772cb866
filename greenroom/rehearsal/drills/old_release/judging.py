"""From what the running release can no longer do to findings: C01 to C09."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from greenroom.postgres import catalog
from greenroom.postgres.catalog import Catalog
from greenroom.postgres.server import connect
from greenroom.rehearsal.document import Evidence, Finding
from greenroom.rehearsal.drills.old_release.exercise import Try
from greenroom.rehearsal.drills.old_release.seen import UNKNOWN, Seen
from greenroom.rehearsal.drills.stage import Stage
from greenroom.rehearsal.hazards import release
from greenroom.rehearsal.hazards.drilled import drilled
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.wording import filled
from greenroom.rehearsal.report.words import counted

LARGE = 10_000  # rows: a smaller table is read through as quickly as by an index
Gone = TypeVar("Gone")
RAISING = "P0"  # the class of what PL/pgSQL raises
NO_COLUMN, NO_TABLE = "42703", "42P01"
VIOLATIONS = ("23505", "23514", "23503", "23P01")
KINDS = ("table", "view", "materialised view", "foreign table")
NARROWED = ("22001", "22003", "22P02", "42804", "42883", "22007", "22008")


@dataclass(frozen=True)
class Schemas:
    """Before and after the migration."""

    before: Catalog
    after: Catalog

    def columns_gone(self, table: str) -> list[str]:
        """Columns that the table had and has no longer."""
        start = f"column {table}."
        return [name.removeprefix(start) for name in self.before if name.startswith(start) and name not in self.after]

    def missing(self, one: Try) -> list[tuple[str, str]]:
        """Columns that the model wants and that are gone, of its own table and its parents', with the table's name."""
        wanted = {one.table: one.columns, **one.inherited}
        return [(table, name) for table, names in wanted.items() for name in self.columns_gone(table) if name in names]

    def table_gone(self, one: Try) -> str | None:
        """The table that the model wants and that is gone: its own, or a parent's; None: it is that of another."""
        return next((table for table in (one.table, *one.inherited) if not self._is_there(table)), None)

    def _is_there(self, table: str) -> bool:
        """As a table or a view."""
        return any(f"{kind} {table}" in self.after for kind in KINDS)

    def column_of_same_kind(self, table: str, column: str) -> str | None:
        """A new column of the table that is defined as the missing one was: it was renamed."""
        start, kind = f"column {table}.", self.before[f"column {table}.{column}"]
        new = (name for name in self.after if name.startswith(start) and name not in self.before)
        return next((name.removeprefix(start) for name in new if self.after[name] == kind), None)

    def table_of_same_kind(self, table: str) -> str | None:
        """A new table with all columns of the missing one: it was renamed."""
        wanted = self._columns(self.before, table)
        new = [name.removeprefix("table ") for name in self.after if name.startswith("table ")]
        new = [name for name in new if f"table {name}" not in self.before]
        return next((name for name in new if wanted and wanted <= self._columns(self.after, name)), None)

    @staticmethod
    def _columns(schema: Catalog, table: str) -> set[str]:
        start = f"column {table}."
        return {name.removeprefix(start) for name in schema if name.startswith(start)}


def schemas(stage: Stage) -> Schemas:
    """Read from the copy as it was and as it is."""
    with connect(stage.pristine.admin) as before, connect(stage.copy.admin) as after:
        return Schemas(catalog.read(before), catalog.read(after))


def findings(stage: Stage, seen: Seen, known: Schemas) -> list[Finding]:
    """One for each hazard, model and advice, with the accepted ones as notes."""
    grouped: dict[tuple[str, str, str], list[tuple[Hazard, Try, str]]] = {}
    for one in seen.blamed:
        for hazard, what in _hazard(stage, seen, one, known):
            grouped.setdefault((hazard.id, hazard.django, one.model), []).append((hazard, one, what))
    return [_finding(stage, seen, entries, known) for entries in grouped.values()]


def _hazard(stage: Stage, seen: Seen, one: Try, known: Schemas) -> Iterator[tuple[Hazard, str]]:
    """Which row of the catalogue it is, by SQLSTATE and by what has become of the schema; with words for people."""
    if one.exception is None:
        tables = [table for table in one.scans if _rows(stage, table) >= LARGE]
        if tables:
            yield release.INDEX_REMOVED, f"{one.action} now reads all of {', '.join(tables)}"
        return
    if one.action == "understand":
        yield release.LOOSEN_READ, f"{one.column}: {UNKNOWN.get(one.exception, 'a value that it does not know')}"
    elif one.action == "content type":
        yield release.CONTENT_TYPE, f"its row of django_content_type is gone ({one.exception})"
    elif one.sqlstate == NO_TABLE:
        lost = known.table_gone(one)
        new = known.table_of_same_kind(lost) if lost else None
        which = "its table" if lost == one.table else f"the table {lost}"
        what = f"{which} is now called {new}" if new else f"the table {lost or 'of a row that it needs'} is gone"
        yield (release.RENAME if new else release.DROP_TABLE), what
    elif one.sqlstate == NO_COLUMN:
        gone = known.missing(one)
        renamed = {place: known.column_of_same_kind(*place) for place in gone}
        names = [f"{_at(one, place)} is {f'now called {new}' if new else 'gone'}" for place, new in renamed.items()]
        yield (
            (release.RENAME if any(renamed.values()) else release.DROP_COLUMN),
            ", ".join(names) or "a column of another table is gone",
        )
    elif one.sqlstate == "23502":
        column = _at(one, (seen.owner(one).table, one.column or "a column"))
        if one.column and one.column not in seen.owner(one).columns:
            yield release.TIGHTEN_NULL, f"{column}, which it does not know, is NOT NULL and has no default"
        else:
            yield release.FORBID_NULL, f"{column} may no longer be NULL"
    elif one.sqlstate in VIOLATIONS:
        yield release.TIGHTEN_RULE, f"the constraint {one.constraint or '?'} refuses what it writes"
    elif one.sqlstate in NARROWED or one.sqlstate is None:
        yield release.NARROW_TYPE, f"{one.action} does not fit the new type"
    elif one.sqlstate.startswith(RAISING):
        yield release.RAISED, "the database's own code, such as a trigger, refuses it"
    else:
        yield release.REFUSED, "the server refuses it, which it did not before"


def _at(one: Try, place: tuple[str, str]) -> str:
    """A column, with its table where that is not the model's own."""
    table, column = place
    return column if table in (one.table, one.table.rpartition(".")[2]) else f"{column} of {table}"


def _rows(stage: Stage, table: str) -> int:
    relation = stage.watched.relations.get(table)
    return relation.rows if relation else 0


def _finding(stage: Stage, seen: Seen, entries: list[tuple[Hazard, Try, str]], known: Schemas) -> Finding:
    hazard, first, what = entries[0]
    actions = list(dict.fromkeys(one.action for _, one, _ in entries))
    reason = _accepted(stage, hazard, first.model)
    breaks = first.exception is not None and first.action != "understand"
    tried = f"{first.model} cannot {_listed(actions)}" if breaks and first.action != "content type" else first.model
    summary = f"{tried}: {what}{f' ({first.why})' if first.sqlstate else ''}."
    owner = seen.owner(first)
    table, field = owner.table, first.column or "field"
    if first.sqlstate == NO_COLUMN and (gone := _first(known.missing, first, seen)):
        table, field = gone[0]
        owner = seen.of_table(table, first)
    elif first.sqlstate == NO_TABLE and (lost := _first(known.table_gone, first, seen)):
        table, owner = lost, seen.of_table(lost, first)
    relation = stage.watched.relations.get(table)
    names = {"model": owner.model.rpartition(".")[2].lower(), "table": table, "field": field}
    names["kind"] = owner.kinds.get(field, "Field")
    return drilled(
        hazard,
        "old-release",
        "note" if reason else "failure" if breaks else "warning",
        Evidence(
            summary=f"{summary} Accepted: {reason}" if reason else summary,
            rows=relation.rows if relation else None,
            size_bytes=relation.size_bytes if relation else None,
        ),
        table=table,
        django=filled(hazard.django, names),
    )


def _first(gone: Callable[[Try], Gone | None], one: Try, seen: Seen) -> Gone | None:
    """What is gone for this one; else, as it needs a row of another model, what is gone for that."""
    return next(filter(None, map(gone, (one, *seen.blamed))), None)


def _listed(actions: list[str]) -> str:
    return actions[0] if len(actions) == 1 else f"{actions[0]} (and {counted(len(actions) - 1, 'more action')})"


def _accepted(stage: Stage, hazard: Hazard, model: str) -> str | None:
    """The reason that the configuration gives for letting it pass."""
    for one in stage.request.config.rehearsal.accepted:
        if one.hazard == hazard.id and one.model.lower() == model.lower():
            return one.reason.rstrip(".") + "."
    return None
