"""Hazards that a drill proves: the migration alone does not show them."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.rehearsal.document import Advice, DrillName, Evidence, Finding, Severity
from greenroom.rehearsal.hazards.hazard import Hazard
from greenroom.rehearsal.hazards.view import Match, View


def by_drill(_view: View) -> Iterator[Match]:
    """Nothing: its drill makes the finding."""
    yield from ()


def drilled(
    hazard: Hazard,
    drill: DrillName,
    severity: Severity,
    evidence: Evidence,
    *,
    table: str | None = None,
    migration: str | None = None,
    advice: str | None = None,
    django: str | None = None,
) -> Finding:
    """A finding of a drill's; `advice` and `django` go over the catalogue's."""
    return Finding(
        hazard=hazard.id,
        name=hazard.name,
        severity=severity,
        drill=drill,
        table=table,
        migration=migration,
        evidence=evidence,
        advice=Advice(
            summary=hazard.twin if advice is None else advice, django=hazard.django if django is None else django
        ),
    )


DESTRUCTIVE_REVERSE = Hazard(
    id="C11",
    name="destructive-reverse",
    what="Going back drops a column or table, or does not bring back what going forward has dropped or changed.",
    why="What was written there is lost for good: going back is not undoing.",
    twin="Roll the code back and leave the schema as it is; drop a column only in a release after the one that "
    "stopped using it.",
    django="""# this release: the model forgets the field, the column stays
migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("model", "field")])

# a later release, when nobody wants to go back any more
migrations.RunSQL('ALTER TABLE "table" DROP COLUMN "field"', migrations.RunSQL.noop)""",
    detect=by_drill,
)
REVERSE_BLOCKS = Hazard(
    id="C12",
    name="reverse-blocks",
    what="Going back builds, validates or rewrites under a lock: the reverse of RemoveIndex, RemoveField, AlterField.",
    why="In the hour in which a release is taken back, its clients stand still once more.",
    twin="Roll the code back and leave the schema; or write the way back as carefully as the way forward.",
    django="""# the way back builds the index concurrently as well
class Migration(migrations.Migration):
    atomic = False

    operations = [RemoveIndexConcurrently("model", "index")]""",
    detect=by_drill,
)

HAZARDS = [DESTRUCTIVE_REVERSE, REVERSE_BLOCKS]
