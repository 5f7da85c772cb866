"""Hazards on a table with partitions on two levels: found once, of the whole; and their twins are let through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from greenroom.postgres.address import Address
from tests.hazards.harness import HERE, ROWS, furnished, rehearsed, write_project
from tests.hazards.test_advice import scans
from tests.hazards.test_twins import typed

pytestmark = pytest.mark.full

TABLE, PARTITIONS = "shop_orderline", 5
PARENT = HERE / "partitioned" / "H25"  # which is not about the partitioned table, but about one that it refers to
EXAMPLES = [path for path in sorted(HERE.glob("partitioned/*/bad*")) if path.parent != PARENT]
GOOD = [path for path in sorted(HERE.glob("partitioned/*/good*")) if path.parent != PARENT]
BESIDE = {"H44", "H47"}
OF_THE_EXAMPLE = {"H13": {"G01"}}  # a foreign key without an index

REQUIRED = '''"""A column that the release before does not know.

drills: back,lock-queue
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.AddField("orderline", "gifts", models.IntegerField(default=1))]
'''

REFUSED = """from uuid import uuid4

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.{}]
"""

FILLED = '''"""A column that is NULL here and there gets a default and NOT NULL."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.AddField("orderline", "note", models.CharField(max_length=40, null=True))]
        ),
        migrations.AlterField("orderline", "note", models.CharField(max_length=40, default="none")),
    ]
'''


def of(example: Path) -> str:
    return example.parent.name


@pytest.mark.parametrize("example", EXAMPLES, ids=of)
def test_bad_is_found_of_the_whole_table(example: Path, source: Address, tmp_path: Path) -> None:
    with furnished(source, "partitioned") as shop:
        rehearsal = rehearsed(shop, write_project(tmp_path / "project", [example]))
    assert rehearsal.error is None
    others = {finding.hazard for finding in rehearsal.findings} - {of(example)}
    assert others <= BESIDE | OF_THE_EXAMPLE.get(of(example), set()), [f.evidence.summary for f in rehearsal.findings]
    [finding] = [finding for finding in rehearsal.findings if finding.hazard == of(example)]
    assert finding.table == TABLE and f"{ROWS:,} rows (" in finding.evidence.summary
    assert f" of {TABLE} ({PARTITIONS} partitions)" in finding.evidence.summary
    assert finding.evidence.rows == ROWS
    assert {entry.table for entry in finding.evidence.tables} <= {TABLE, "shop_product"}
    assert "$" not in finding.advice.django
    compile(finding.advice.django, of(example), "exec")
    assert not {stall.table for stall in rehearsal.stalls} - {TABLE, "shop_product", "django_migrations"}
    [stall] = [stall for stall in rehearsal.stalls if stall.table == TABLE]
    assert stall.rows == ROWS and stall.size_bytes == finding.evidence.size_bytes


@pytest.mark.parametrize("example", GOOD, ids=of)
def test_good_is_let_through(example: Path, source: Address, tmp_path: Path) -> None:
    with furnished(source, "partitioned") as shop:
        good = rehearsed(shop, write_project(tmp_path / "project", [example]))
    assert good.error is None, good.error
    assert of(example) not in {finding.hazard for finding in good.findings}
    assert not scans(good)
    assert good.left.invalid_indexes == []


@pytest.fixture
def referring(source: Address) -> Iterator[Address]:
    """The lines refer to products."""
    with furnished(source, "partitioned") as shop:
        with psycopg.connect(**shop.parameters, autocommit=True) as connection:
            connection.execute("CREATE INDEX shop_orderline_product_id ON shop_orderline (product_id)")
            connection.execute(
                "ALTER TABLE shop_orderline ADD CONSTRAINT shop_line_product_fk FOREIGN KEY (product_id)"
                " REFERENCES shop_product DEFERRABLE INITIALLY DEFERRED"
            )
            connection.execute("ANALYZE")
        yield shop


def test_larger_key_that_partitions_refer_to(referring: Address, tmp_path: Path) -> None:
    bad = rehearsed(referring, write_project(tmp_path / "bad", [PARENT / "bad.py"]))
    [finding] = [finding for finding in bad.findings if finding.hazard == "H25"]
    assert finding.table == "shop_product"
    assert f" of {TABLE} ({PARTITIONS} partitions)" in finding.evidence.summary
    assert 'PARTITIONS = ["shop_orderline_a", ' in finding.advice.django
    assert "$" not in finding.advice.django
    compile(finding.advice.django, "H25", "exec")
    good = rehearsed(referring, write_project(tmp_path / "good", [PARENT / "good"]))
    assert (good.error, [run.status for run in good.migrations]) == (None, ["applied"] * 8)
    assert "H25" not in {finding.hazard for finding in good.findings}
    assert not scans(good)
    assert good.left.invalid_indexes == []


@pytest.mark.parametrize(
    ("operation", "sqlstate"),
    [
        ("AddField('orderline', 'token', models.UUIDField(default=uuid4, unique=True))", "0A000"),  # H21
        ("AlterField('orderline', 'id', models.AutoField(primary_key=True))", "42P16"),  # H25
    ],
)
def test_what_the_server_refuses_of_a_partitioned_table_is_no_hazard_of_its_rows(
    operation: str, sqlstate: str, source: Address, tmp_path: Path
) -> None:
    """A unique column would have to be of the partition key, and of that no type is altered."""
    change = tmp_path / "change.py"
    change.write_text(REFUSED.format(operation))
    with furnished(source, "partitioned") as shop:
        rehearsal = rehearsed(shop, write_project(tmp_path / "project", [change]))
    assert rehearsal.error and rehearsal.error.sqlstate == sqlstate
    assert not {finding.hazard for finding in rehearsal.findings} & {"H08", "H21", "H24", "H25"}


def test_new_column_is_required_of_the_whole_table_once(source: Address, tmp_path: Path) -> None:
    column = tmp_path / "column.py"
    column.write_text(REQUIRED)
    with furnished(source, "partitioned") as shop:
        rehearsal = rehearsed(shop, write_project(tmp_path / "project", [column]))
    assert [left.table for left in rehearsal.left.required_columns] == [TABLE]
    assert [finding.table for finding in rehearsal.findings if finding.hazard in ("H19", "C11")] == [TABLE] * 2
    [queue] = [drill for drill in rehearsal.drills if drill.name == "lock-queue"]
    assert [step.what for step in queue.steps] == [f"a reader with an open transaction on {TABLE}"]


@pytest.mark.full
def test_twin_fills_every_partition(source: Address, tmp_path: Path) -> None:
    with furnished(source, "partitioned") as shop:
        with psycopg.connect(**shop.parameters, autocommit=True) as connection:
            connection.execute("UPDATE shop_orderline SET note = NULL WHERE id % 1000 = 0")
        column = tmp_path / "column.py"
        column.write_text(FILLED)
        _, _, document = typed(shop, write_project(tmp_path / "project", [column]), "--try-twin")
    [twin] = document["twins"]
    assert (twin["status"], twin["same_schema"], twin["hazards"]) == ("rehearsed", True, ["H17"]), twin
