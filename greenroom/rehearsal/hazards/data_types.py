"""Types that a migration changes for all who use them: domains and enums."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.hazards.actions import Action
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, View
from greenroom.rehearsal.hazards.wording import names, rows_of, took

SHARE = "ShareLock"
CHECK_VIOLATION, NOT_NULL_VIOLATION, UNSAFE_ENUM_VALUE = "23514", "23502", "55P04"


def domain_check(view: View) -> Iterator[Match]:
    """H34: a domain's check is looked up in every table that has a column of it; VALIDATE is no better."""
    for performed in view.performed:
        for step, action in performed.doing("alter domain"):
            if step.failed(CHECK_VIOLATION, NOT_NULL_VIOLATION):
                did = f"a check of the domain {action.name} failed on rows that are there"
                did += f" (SQLSTATE {step.statement.sqlstate})"
                yield Match(performed, (step,), None, did, _facts(action, ""), severity="failure")
            for scan in step.statement.scans:
                if view.populated(scan.table) and view.holds(step, scan.table, SHARE):
                    did = f"a check of the domain {action.name} read {rows_of(view, scan.table)} {took(step)}"
                    facts = _facts(action, scan.table)
                    yield Match(performed, (step,), scan.table, did, facts, rows=view.rows(scan.table))


def enum_in_transaction(view: View) -> Iterator[Match]:
    """H35: a new value of an enum is used in the transaction that has added it, which the server refuses."""
    for performed in view.performed:
        for step in performed.steps:
            if not step.failed(UNSAFE_ENUM_VALUE):
                continue
            added = [a for other in view.before(step) for a in other.actions if a.kind == "add enum value"]
            action = next((a for a in step.actions if a.table), Action(""))
            of = f" of {added[-1].name}" if added else ""
            did = f"a value{of} was used in the transaction that had added it (SQLSTATE 55P04)"
            facts = names(performed, action) | {"type": added[-1].name if added else "type"}
            yield Match(performed, (step,), action.table or None, did, facts, severity="failure")


def _facts(action: Action, table: str) -> dict[str, str]:
    return {"type": action.name, "table": table or "...", "constraint": f"{action.name}_check"}


HAZARDS = [
    Hazard(
        id="H34",
        name="domain-check",
        what="RunSQL ALTER DOMAIN with ADD CONSTRAINT, VALIDATE CONSTRAINT or SET NOT NULL.",
        why="SHARE on every table that uses the domain is held while all their rows are read: nobody can write.",
        twin="Leave the domain's check NOT VALID; check the old rows of each table by a check of the table's own.",
        django="""# first migration: new values are checked from now on
migrations.RunSQL(
    [
        'ALTER DOMAIN "$type" ADD CONSTRAINT "$constraint" CHECK (VALUE ...) NOT VALID',
        'ALTER TABLE "$table" ADD CONSTRAINT "${table}_$constraint" CHECK (...) NOT VALID',
    ],
    [
        'ALTER TABLE "$table" DROP CONSTRAINT "${table}_$constraint"',
        'ALTER DOMAIN "$type" DROP CONSTRAINT "$constraint"',
    ],
)

# next migration: the old rows, while writers go on
migrations.RunSQL('ALTER TABLE "$table" VALIDATE CONSTRAINT "${table}_$constraint"', migrations.RunSQL.noop)""",
        detect=domain_check,
    ),
    Hazard(
        id="H35",
        name="enum-in-tx",
        what="RunSQL ALTER TYPE ADD VALUE, and a use of the value, in one atomic migration.",
        why="A value that its own transaction may still take back cannot be stored: the migration fails.",
        twin="Add the value in a migration of its own, and use it in the next.",
        django="""# first migration: nothing else in it
migrations.RunSQL("ALTER TYPE \\"$type\\" ADD VALUE IF NOT EXISTS '...'", migrations.RunSQL.noop)

# next migration: what stores the value""",
        detect=enum_in_transaction,
    ),
]
