"""What breaks the release that is still running: proven by the drill old-release."""

from __future__ import annotations

from dataclasses import replace

from greenroom.rehearsal.hazards.drilled import by_drill
from greenroom.rehearsal.hazards.hazard import Hazard

STATE_ONLY = """# this release: the code forgets it, the schema keeps it
migrations.SeparateDatabaseAndState(state_operations=[migrations.$operation])

# the next release, when no code of before runs any more
migrations.SeparateDatabaseAndState(database_operations=[migrations.$operation])"""

DROP_COLUMN = Hazard(
    id="C01",
    name="drop-column",
    what="RemoveField: a column goes that the running release still selects.",
    why="Until the last of its tasks has ended, every query of that model fails with 42703.",
    twin="Two releases: the first forgets the field in state only, the second drops the column.",
    django=STATE_ONLY.replace("$operation", 'RemoveField("$model", "$field")'),
    detect=by_drill,
)
DROP_TABLE = Hazard(
    id="C02",
    name="drop-table",
    what="DeleteModel: a table goes that the running release still uses.",
    why="Every query of that model fails with 42P01 while both releases run.",
    twin="Two releases: the first deletes the model in state only, the second drops the table.",
    django=STATE_ONLY.replace("$operation", 'DeleteModel("$model")'),
    detect=by_drill,
)
RENAME = Hazard(
    id="C03",
    name="rename",
    what="RenameField, RenameModel, another db_column or db_table.",
    why="The running release asks for the old name: 42703 or 42P01 in every query.",
    twin="Rename in Python only (db_column, db_table), or add the new one beside it, write both, drop the old later.",
    django="""# the name changes in Python, the column keeps its own
migrations.SeparateDatabaseAndState(
    state_operations=[
        migrations.RenameField("$model", "$field", "new_name"),
        migrations.AlterField("$model", "new_name", models.TextField(db_column="$field")),
    ],
)""",
    detect=by_drill,
)
TIGHTEN_NULL = Hazard(
    id="C04",
    name="tighten-null",
    what="AlterField(null=False), or a new column that is NOT NULL without a default of the database.",
    why="The running release writes NULL there, or nothing at all: 23502.",
    twin="First a release that always writes a value (or a db_default), then the one that forbids NULL.",
    django="""# this release
migrations.AddField("$model", "$field", models.IntegerField(db_default=0))

# the next one may drop the default""",
    detect=by_drill,
)
FORBID_NULL = replace(
    TIGHTEN_NULL,
    django="""# this release: its code always writes a value, the column may still be NULL

# the next one, when no code of before runs any more; with whatever else the field has
migrations.AlterField("$model", "$field", models.$kind(null=False))""",
)
TIGHTEN_RULE = Hazard(
    id="C05",
    name="tighten-rule",
    what="AddConstraint, unique=True, a foreign key where there was none.",
    why="The running release writes what the new rule refuses: 23505, 23514, 23503 or 23P01.",
    twin="First a release whose code keeps the rule, then the one that adds the constraint.",
    django="""# the next release, when all running code keeps the rule
migrations.AddConstraint("$model", models.CheckConstraint(condition=models.Q(), name="${table}_rule"))""",
    detect=by_drill,
)
RAISED = replace(
    TIGHTEN_RULE,
    twin="First a release whose code keeps the rule, then the migration that has the database enforce it.",
    django="""# the next release, when all running code keeps the rule
migrations.RunSQL('CREATE TRIGGER "${table}_rule" ...', 'DROP TRIGGER "${table}_rule" ON "$table"')""",
)
REFUSED = replace(
    TIGHTEN_RULE,
    twin="Look up the SQLSTATE: first a release that can live with it, then the migration that brings it about.",
    django="# in a later release than the one that can live with it: whatever has the server refuse it",
)
NARROW_TYPE = Hazard(
    id="C06",
    name="narrow-type",
    what="AlterField to a shorter or another type.",
    why="The running release writes values that no longer fit, or compares with an operator that is not there.",
    twin="Add a column of the new type beside the old one, write both, and switch reading in a later release.",
    django="""migrations.AddField("$model", "new_$field", models.TextField(null=True))""",
    detect=by_drill,
)
LOOSEN_READ = Hazard(
    id="C07",
    name="loosen-read",
    what="AlterField(null=True), a new choice, a wider type: the new release writes what the old one does not know.",
    why="Code that has never met NULL, that choice or that number fails, or does the wrong thing, when it reads it.",
    twin="First a release that can read the new values, then the one that writes them.",
    django="""# this release reads it already; the next one writes it
migrations.AlterField("$model", "$field", models.CharField(max_length=20, choices=[]))""",
    detect=by_drill,
)
INDEX_REMOVED = Hazard(
    id="C08",
    name="index-removed",
    what="RemoveIndex, db_index=False: an index goes that the running release's queries use.",
    why="Its look-ups read whole tables from then on.",
    twin="Drop the index in a release after the one that stopped using it.",
    django="""# a later release
RemoveIndexConcurrently("$model", "index")""",
    detect=by_drill,
)
CONTENT_TYPE = Hazard(
    id="C09",
    name="contenttype-rename",
    what="RenameModel, or a model that moves to another app: its row of django_content_type changes.",
    why="The running release no longer finds the content type: generic relations and permissions lose their rows.",
    twin="Keep the old model's name until no code of before runs, and rename late.",
    django="""migrations.SeparateDatabaseAndState(state_operations=[migrations.RenameModel("$model", "NewName")])""",
    detect=by_drill,
)

HAZARDS = [
    *(DROP_COLUMN, DROP_TABLE, RENAME, TIGHTEN_NULL, TIGHTEN_RULE, NARROW_TYPE),
    *(LOOSEN_READ, INDEX_REMOVED, CONTENT_TYPE),
]
