"""The statements that a linter of migrations is asked about, and the tables that they have to do with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from greenroom.rehearsal.document import MigrationRun, Statement
from greenroom.rehearsal.hazards.actions import actions, altered_table
from greenroom.rehearsal.recorder import Recorder
from greenroom.rehearsal.sql import only_rows


@dataclass(frozen=True)
class Subject:
    """A statement, by its place in its migration; `text` has blank literals.

    `tables` are those that it names, then those that it locked. `is_new`: none of them was there before.
    """

    migration: str
    place: int
    operation: int | None
    text: str
    tables: tuple[str, ...]
    is_new: bool

    @property
    def table(self) -> str | None:
        """The first that it has to do with."""
        return self.tables[0] if self.tables else None

    def concerns(self, table: str) -> bool:
        """Whether it has to do with the table, or could; SQL may leave the schema to the search path."""
        return not self.tables or bare(table) in map(bare, self.tables)


def subjects(recorder: Recorder, tables: Collection[str]) -> tuple[list[tuple[MigrationRun, list[Subject]]], int]:
    """Those of each migration, and how many cannot be read without doubt. What only reads or writes rows is none."""
    known, unread = {bare(table) for table in tables}, 0
    found: list[tuple[MigrationRun, list[Subject]]] = []
    for run in recorder.runs:
        found.append((run, []))
        for place, statement in enumerate(run.statements):
            text = recorder.blank.get(id(statement))
            if text:
                found[-1][1].append(_subject(run, place, statement, text, known))
            elif statement.operation is not None and not only_rows(statement.sql):
                unread += 1
    return found, unread


def bare(table: str) -> str:
    """Its name without the schema."""
    return table.rpartition(".")[2]


def _subject(run: MigrationRun, place: int, statement: Statement, text: str, known: set[str]) -> Subject:
    acted = [name for action in actions(statement.sql) for name in (action.table, action.parent)]
    named = [name for name in (altered_table(statement.sql), *acted) if name]
    locked = [lock.table for lock in statement.locks]
    met = {bare(table): table for table in locked}
    tables = tuple(dict.fromkeys([*(met.get(bare(name), name) for name in named), *locked]))
    return Subject(
        migration=f"{run.app}.{run.name}",
        place=place,
        operation=statement.operation,
        text=text,
        tables=tables,
        is_new=bool(tables) and not locked and not known & set(map(bare, tables)),
    )
