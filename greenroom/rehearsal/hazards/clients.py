"""What clients of the schema meet afterwards: views that are gone, prepared statements that no longer run."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, Performed, Step, View
from greenroom.rehearsal.hazards.wording import listed, names

FEATURE_NOT_SUPPORTED = "0A000"  # also: cached plan must not change result type
DEPENDENT_OBJECTS = "2BP01"


def cached_plan(view: View) -> Iterator[Match]:
    """H47: a SELECT that a client had prepared before the migration was refused after it."""
    refused = view.observations.aftermath.refused
    for table, sqlstate in refused.items():
        relation = view.relation(table)
        told = relation is not None and any(refused.get(whole) == sqlstate for whole in relation.ancestors)
        if sqlstate == FEATURE_NOT_SUPPORTED and not told:
            performed, action = _changed(view, table)
            did = f"a SELECT of {table} that was prepared before the migration failed after it (SQLSTATE 0A000)"
            did += ": it would return another type"
            yield Match(performed, (), table, did, names(performed, action), severity="note")


def dependent_view(view: View) -> Iterator[Match]:
    """H48: a view reads what the migration changes: that is refused, or the view is dropped with it."""
    aftermath = view.observations.aftermath
    told: set[str] = set()
    for performed in view.performed:
        for step, action in performed.doing("alter type", "drop column", "drop table", "drop view"):
            what = f"{action.table}.{action.column}" if action.column else action.table
            reading = {name for name, reads in aftermath.views.items() if _reads(reads, action)}
            gone = {name for name in reading & aftermath.views_gone - told if not _asked_for(view, name)}
            if reading and step.failed(FEATURE_NOT_SUPPORTED, DEPENDENT_OBJECTS):
                did = f"{_named(reading)} {what}, so its change was refused (SQLSTATE {step.statement.sqlstate})"
                yield _match(performed, step, action, reading, did)
            elif gone:
                told |= gone
                verb = "were" if len(gone) > 1 else "was"
                did = f"{_named(gone)} {what} and {verb} dropped with it, though no statement says so"
                yield _match(performed, step, action, gone, did)


def _changed(view: View, table: str) -> tuple[Performed, Action]:
    """Who changed the table last, above all a type of it."""
    found = [
        (action.kind == "alter type", step.start, performed, action)
        for performed in view.performed
        for step in performed.steps
        for action in step.actions
        if action.table == table
    ]
    _, _, performed, action = max(
        found, key=lambda one: one[:2], default=(False, 0.0, Performed("", None, frozenset(), ()), Action("", table))
    )
    return performed, action


def _reads(reads: frozenset[tuple[str, str]], action: Action) -> bool:
    return any(table == action.table and action.column in ("", column) for table, column in reads)


def _asked_for(view: View, name: str) -> bool:
    """Whether a statement of the migration drops this view by its name; the schema may be left to the search path."""
    dropped = (a for performed in view.performed for _, a in performed.doing("drop view"))
    return any(name == one or name.endswith(f".{one}") for action in dropped for one in action.listed)


def _named(views: set[str]) -> str:
    return f"the view{'s' if len(views) > 1 else ''} {listed(sorted(views))} {'read' if len(views) > 1 else 'reads'}"


def _match(performed: Performed, step: Step, action: Action, views: set[str], did: str) -> Match:
    facts = names(performed, action) | {"view": min(views)}
    return Match(performed, (step,), action.table, did, facts, severity="failure")


HAZARDS = [
    Hazard(
        id="H47",
        name="cached-plan/type",
        what="AlterField to another type, under clients that prepare their statements.",
        why="A prepared statement keeps its result's type: it fails with 0A000 until its connection is given up.",
        twin="Renew every connection right after the migration, or add a column of the new type beside the old one.",
        django="""# settings of the running release: nothing is prepared (Django's default), connections are short-lived
DATABASES["default"]["OPTIONS"]["prepare_threshold"] = None
DATABASES["default"]["CONN_MAX_AGE"] = 60

# or, in place of AlterField; from then on the code writes both columns
migrations.AddField("$model", "${field}_new", models.$field_class(null=True))""",
        detect=cached_plan,
    ),
    Hazard(
        id="H48",
        name="dependent-view",
        what="AlterField or RemoveField of a column that a view reads; DeleteModel of its table.",
        why="Another type is refused; Django's DROP ... CASCADE takes the view along, and nobody is told.",
        twin="Drop the view, change the table and make the view again, in one transaction.",
        django="""operations = [
    migrations.RunSQL('DROP VIEW "$view"', migrations.RunSQL.noop),
    # what changes "$table"
    migrations.RunSQL('CREATE VIEW "$view" AS SELECT ...', 'DROP VIEW "$view"'),
]""",
        detect=dependent_view,
    ),
]
