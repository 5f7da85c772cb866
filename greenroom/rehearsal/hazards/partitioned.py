"""What avoids a hazard on a partitioned table, where the server refuses what avoids it on others.

CONCURRENTLY, USING INDEX and, before PostgreSQL 18, a foreign key that is NOT VALID are for one partition at a time.
What each partition has already is taken over when the whole table gets it, on every level, and no row is read then.
CHECK ... NOT VALID and its validation, and SET NOT NULL that believes it, are for partitioned tables as for others.
"""

from __future__ import annotations

from greenroom.rehearsal.document import Advice
from greenroom.rehearsal.observations import Relation

PARTITIONS = "PARTITIONS = [$partitions]  # all of them, on every level: those that have rows\n\n\n"
MOST_NAMED = 12


def _by_partition(unique: str, columns: str, then: str, before: str = "") -> str:
    """A build on each partition, which blocks nobody, then what takes the indexes over."""
    return f"""{PARTITIONS}{before}# {"next" if before else "first"} migration
class Migration(migrations.Migration):
    atomic = False

    operations = [
        migrations.RunSQL(
            [
                f'DROP INDEX CONCURRENTLY IF EXISTS "{{partition}}_$index"',  # that an earlier try has left
                f'CREATE {unique}INDEX CONCURRENTLY "{{partition}}_$index" ON "{{partition}}" ({columns})',
            ],
            migrations.RunSQL.noop,  # it goes with the table's
        )
        for partition in PARTITIONS
    ]


{then}"""


ADD_INDEX = """# last migration: the table's index takes over those of its partitions, and reads nothing
class Migration(migrations.Migration):
    operations = [migrations.AddIndex("$model", models.Index(fields=[$fields], name="$index"))]"""
INDEX = _by_partition("", "$columns", ADD_INDEX)
INDEX_TWIN = (
    "Build the index CONCURRENTLY on each partition, which is refused on the whole table; then AddIndex takes them "
    "over and reads nothing."
)
FOREIGN_KEY = f"""{PARTITIONS}# first migration
class Migration(migrations.Migration):
    operations = [
        migrations.RunSQL(
            f'ALTER TABLE "{{partition}}" ADD CONSTRAINT "$constraint" FOREIGN KEY ($columns)'
            ' REFERENCES "$parent_table" ($parent_columns) DEFERRABLE INITIALLY DEFERRED NOT VALID',
            migrations.RunSQL.noop,  # it goes with the table's
        )
        for partition in PARTITIONS
    ]


# next migration: in one without a transaction each partition's lock is given back at once
class Migration(migrations.Migration):
    atomic = False

    operations = [
        migrations.RunSQL(
            f'ALTER TABLE "{{partition}}" VALIDATE CONSTRAINT "$constraint"', migrations.RunSQL.noop
        )
        for partition in PARTITIONS
    ]


# last migration: the table's foreign key takes over those of its partitions, and reads nothing
class Migration(migrations.Migration):
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '$limit'", migrations.RunSQL.noop),
        migrations.RunSQL(
            'ALTER TABLE "$table" ADD CONSTRAINT "$constraint" FOREIGN KEY ($columns)'
            ' REFERENCES "$parent_table" ($parent_columns) DEFERRABLE INITIALLY DEFERRED',
            'ALTER TABLE "$table" DROP CONSTRAINT "$constraint"',
        ),
    ]"""
FOREIGN_KEY_TWIN = (
    "Add the foreign key NOT VALID to each partition, and validate it there: then that of the whole table takes them "
    "over and reads nothing. (NOT VALID on the whole table is refused before PostgreSQL 18.)"
)
DROP_INDEX = """class Migration(migrations.Migration):
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '$limit'", migrations.RunSQL.noop),
        migrations.RemoveIndex("$model", "$index"),
    ]"""
DROP_INDEX_TWIN = (
    "Drop the index alone in a migration, with a lock_timeout and a retry: CONCURRENTLY is refused on a partitioned "
    "table, and the drop itself is short."
)
PRIMARY_KEY = _by_partition(
    "UNIQUE ",
    "$columns",
    """# next migration
class Migration(migrations.Migration):
    operations = [
        migrations.RunSQL(
            'ALTER TABLE "$table" ADD CONSTRAINT "${column}_not_null" CHECK ("$column" IS NOT NULL) NOT VALID',
            'ALTER TABLE "$table" DROP CONSTRAINT "${column}_not_null"',
        ),
    ]


# next migration
class Migration(migrations.Migration):
    operations = [
        migrations.RunSQL('ALTER TABLE "$table" VALIDATE CONSTRAINT "${column}_not_null"', migrations.RunSQL.noop),
    ]


# last migration: the table's key takes over those of its partitions
class Migration(migrations.Migration):
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '$limit'", migrations.RunSQL.noop),
        migrations.RunSQL('ALTER TABLE "$table" ALTER COLUMN "$column" SET NOT NULL', migrations.RunSQL.noop),
        *(
            migrations.RunSQL(
                f'ALTER TABLE "{partition}" ADD CONSTRAINT "{partition}_$index" PRIMARY KEY'
                f' USING INDEX "{partition}_$index"',
                migrations.RunSQL.noop,
            )
            for partition in PARTITIONS
        ),
        migrations.RunSQL(
            'ALTER TABLE "$table" ADD CONSTRAINT "$constraint" PRIMARY KEY ($columns)',
            'ALTER TABLE "$table" DROP CONSTRAINT "$constraint"',
        ),
        migrations.RunSQL('ALTER TABLE "$table" DROP CONSTRAINT "${column}_not_null"', migrations.RunSQL.noop),
    ]""",
)
# of a key that a partitioned table refers to
KEY_OF_PARTITIONS = f"""{PARTITIONS}# first migrations: a second column, here and in "$child_table", filled by a trigger
migrations.AddField("$model", "${{field}}_new", models.BigIntegerField(null=True))

# second migration, atomic = False: fill them in batches
migrations.RunPython(fill_in_batches, migrations.RunPython.noop)

# third migration, atomic = False
migrations.RunSQL(
    'CREATE UNIQUE INDEX CONCURRENTLY "${{table}}_${{column}}_new" ON "$table" ("${{column}}_new")',
    'DROP INDEX CONCURRENTLY "${{table}}_${{column}}_new"',
)
[
    migrations.RunSQL(
        f'CREATE INDEX CONCURRENTLY "{{partition}}_${{child_column}}_new" ON "{{partition}}" ("${{child_column}}_new")',
        migrations.RunSQL.noop,
    )
    for partition in PARTITIONS
]

# fourth migration: the table's index takes those over; NOT NULL by a check NOT VALID (H17); and the foreign keys
migrations.RunSQL(
    'CREATE INDEX "${{child_table}}_${{child_column}}_new" ON "$child_table" ("${{child_column}}_new")',
    'DROP INDEX "${{child_table}}_${{child_column}}_new"',
)
[
    migrations.RunSQL(
        f'ALTER TABLE "{{partition}}" ADD CONSTRAINT "${{child_table}}_new" FOREIGN KEY ("${{child_column}}_new")'
        ' REFERENCES "$table" ("${{column}}_new") DEFERRABLE INITIALLY DEFERRED NOT VALID',
        migrations.RunSQL.noop,
    )
    for partition in PARTITIONS
]

# fifth migration, atomic = False: validate them, partition by partition
[
    migrations.RunSQL(
        f'ALTER TABLE "{{partition}}" VALIDATE CONSTRAINT "${{child_table}}_new"', migrations.RunSQL.noop
    )
    for partition in PARTITIONS
]

# sixth migration, with a lock_timeout: the table's foreign key takes those over; drop the old one
migrations.RunSQL(
    'ALTER TABLE "$child_table" ADD CONSTRAINT "${{child_table}}_new" FOREIGN KEY ("${{child_column}}_new")'
    ' REFERENCES "$table" ("${{column}}_new") DEFERRABLE INITIALLY DEFERRED',
    'ALTER TABLE "$child_table" DROP CONSTRAINT "${{child_table}}_new"',
)

# last, with a lock_timeout: drop the old key, rename the columns, USING INDEX"""
ADVICE: dict[str, tuple[str, str]] = {
    "H01": (INDEX_TWIN, INDEX),
    "H02": (f"Leave the field as it is. {INDEX_TWIN}", INDEX),
    "H03": (
        f"Add the column without an index. {INDEX_TWIN}",
        _by_partition(
            "",
            "$columns",
            ADD_INDEX,
            """# first migration
class Migration(migrations.Migration):
    operations = [migrations.AddField("$model", "$field", models.$field_class(..., null=True, db_index=False))]


""",
        ),
    ),
    "H04": (DROP_INDEX_TWIN, DROP_INDEX),
    "H05": (INDEX_TWIN, INDEX),
    "H08": (
        "Build a unique index CONCURRENTLY on each partition, and make it that partition's constraint USING INDEX: "
        "then that of the whole table takes them over and reads nothing.",
        _by_partition(
            "UNIQUE ",
            "$columns",
            """# next migration
class Migration(migrations.Migration):
    operations = [
        migrations.RunSQL(
            f'ALTER TABLE "{partition}" ADD CONSTRAINT "{partition}_$index" UNIQUE USING INDEX "{partition}_$index"',
            migrations.RunSQL.noop,
        )
        for partition in PARTITIONS
    ]


# last migration: the table's constraint takes over those of its partitions
class Migration(migrations.Migration):
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '$limit'", migrations.RunSQL.noop),
        migrations.AddConstraint("$model", models.UniqueConstraint(fields=[$fields], name="$index")),
    ]""",
        ),
    ),
    "H09": (
        "Build the unique index CONCURRENTLY on each partition, with the same condition; then that of the whole table "
        "takes them over and reads nothing.",
        _by_partition(
            "UNIQUE ",
            "$columns",
            """# last migration: the table's index takes over those of its partitions
class Migration(migrations.Migration):
    operations = [
        migrations.AddConstraint("$model", models.UniqueConstraint(fields=[$fields], name="$index")),  # condition=...
    ]""",
        ),
    ),
    "H13": (FOREIGN_KEY_TWIN, FOREIGN_KEY),
    "H14": (f"Use db_constraint=False. {FOREIGN_KEY_TWIN}", FOREIGN_KEY),
    "H27": (
        f"Leave the column, and have an index with the other collation. {INDEX_TWIN}",
        _by_partition(
            "",
            '$columns COLLATE "..."',
            """# last migration: the table's index takes over those of its partitions, and reads nothing
from django.db.models.functions import Collate


class Migration(migrations.Migration):
    operations = [migrations.AddIndex("$model", models.Index(Collate("$field", "..."), name="$index"))]""",
        ),
    ),
    "H33": (
        "Have NOT NULL and the key on each partition: then the key of the whole table takes them over and reads "
        "nothing.",
        PRIMARY_KEY,
    ),
    "G01": (INDEX_TWIN, INDEX),
}


def advice(hazard: str, relation: Relation | None) -> Advice | None:
    """What is to be done instead where this table is partitioned, with names to be filled in; None: as elsewhere."""
    found = ADVICE.get(hazard) if relation and relation.partitions else None
    return Advice(summary=found[0], django=found[1]) if found else None


def names(relation: Relation) -> str:
    """Their names as a list in code has them."""
    named = ", ".join(f'"{name}"' for name in relation.partitions[:MOST_NAMED])
    return named + (", ..." if len(relation.partitions) > MOST_NAMED else "")
