"""What is advised for a table with partitions is run as it is written: it goes through, and the hazard is gone."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from greenroom.postgres.address import Address
from tests.hazards.advice import written
from tests.hazards.harness import HERE, furnished, rehearsed, write_project
from tests.hazards.test_advice import scans

pytestmark = pytest.mark.full

PRODUCT = 'models.ForeignKey("shop.Product", models.SET_NULL, related_name="+", '
DOTS = {  # what an advice leaves to its reader, and what that is for the example
    "H01": [],
    "H02": [],
    "H03": [("models.ForeignKey(..., ", PRODUCT)],
    "H08": [],
    "H13": [],
    "H14": [],
    "H27": [('"..."', '"C"')],
    "H33": [],
    "G01": [],
}
OTHER_EXAMPLE = {"G01": "H13"}  # a foreign key without an index
BAD = {
    "H14": """migrations.AddField(
        "orderline", "gift", models.ForeignKey("shop.Product", models.SET_NULL, "+", null=True, db_index=False))""",
    "H33": 'migrations.RunSQL("ALTER TABLE shop_orderline ADD CONSTRAINT shop_orderline_pkey PRIMARY KEY (id)")',
}
KNOWN = """class Migration(migrations.Migration):
    operations = [migrations.SeparateDatabaseAndState(
        state_operations=[migrations.AddField("orderline", "{}", models.CharField(max_length=40, null=True))])]
"""
FIRST = {
    "H02": KNOWN.format("note"),
    "H27": KNOWN.format("remark"),
    "H14": """class Migration(migrations.Migration):
    operations = [migrations.AddField("orderline", "gift", models.ForeignKey(
        "shop.Product", models.SET_NULL, related_name="+", null=True, db_index=False, db_constraint=False))]
""",
}
BEFORE = {
    "H33": [
        "ALTER TABLE shop_orderline ALTER id DROP IDENTITY",
        "ALTER TABLE shop_orderline DROP CONSTRAINT shop_orderline_pkey",
        "ALTER TABLE shop_orderline ALTER id DROP NOT NULL",
    ]
}
MIGRATION = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [{}]
"""


@pytest.mark.parametrize("hazard", DOTS)
def test_advice_is_let_through(hazard: str, source: Address, tmp_path: Path) -> None:
    with furnished(source, "partitioned") as shop:
        with psycopg.connect(**shop.parameters, autocommit=True) as connection:
            for statement in BEFORE.get(hazard, ()):
                connection.execute(statement.encode())
        bad = rehearsed(shop, write_project(tmp_path / "bad", [example(hazard, tmp_path)]))
        [advice] = [found.advice.django for found in bad.findings if found.hazard == hazard]
        for dots, words in DOTS[hazard]:
            assert dots in advice, advice
            advice = advice.replace(dots, words)
        files = written(advice, tmp_path, FIRST.get(hazard, ""))
        good = rehearsed(shop, write_project(tmp_path / "good", files))
    assert (good.error, [run.status for run in good.migrations]) == (None, ["applied"] * len(files)), advice
    assert hazard not in {found.hazard for found in good.findings}, advice
    assert scans(good) == [], advice
    assert good.left.invalid_indexes == []


def example(hazard: str, directory: Path) -> Path:
    if hazard not in BAD:
        return sorted((HERE / "partitioned" / OTHER_EXAMPLE.get(hazard, hazard)).glob("bad*"))[0]
    bad = directory / "bad.py"
    bad.write_text(MIGRATION.format(BAD[hazard]))
    return bad
