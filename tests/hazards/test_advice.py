"""What a finding advises is run as it is written, with its dots filled in: it goes through, and the hazard is gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from greenroom.postgres.address import Address
from greenroom.rehearsal.document import Rehearsal
from tests.hazards.advice import read_under_lock, written
from tests.hazards.harness import HERE, furnished, rehearsed, write_project

pytestmark = pytest.mark.full

PRODUCT = 'models.ForeignKey("shop.Product", models.SET_NULL, related_name="+", '
NOTE = "models.CharField(max_length=100"
DOTS = {  # what an advice leaves to its reader, and what that is for the example
    "H01": [],
    "H02": [],
    "H03": [("models.ForeignKey(..., ", PRODUCT)],
    "H04": [],
    "H05": [],
    "H07": [],
    "H08": [],
    "H14": [
        (
            "migrations.AlterField(...)",
            'migrations.AlterField("review", "product", models.ForeignKey("shop.Product", models.CASCADE))',
        )
    ],
    "H27": [('"..."', '"C"')],
    "H31": [],
    "G01": [],
}
REVIEW = """class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel("Review", [
            ("id", models.BigAutoField(primary_key=True)),
            ("product", models.ForeignKey("shop.Product", models.CASCADE, db_constraint=False)),
            ("customer", models.ForeignKey("shop.Customer", models.CASCADE, db_constraint=False)),
        ])
    ]
"""
FIRST = {"H14": REVIEW}
MIGRATION = """from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [{}]
"""
QUICK = {"H02", "H03", "H14", "G01"}


@pytest.mark.parametrize(
    "hazard", [pytest.param(one, marks=[] if one in QUICK else [pytest.mark.full]) for one in DOTS]
)
def test_advice_is_let_through(hazard: str, source: Address, tmp_path: Path) -> None:
    example = sorted((HERE / hazard).glob("bad*"))[0]
    with furnished(source, hazard) as shop:
        bad = rehearsed(shop, write_project(tmp_path / "bad", [example]))
        advice = next(found.advice.django for found in bad.findings if found.hazard == hazard)
        for dots, words in DOTS[hazard]:
            assert dots in advice, advice
            advice = advice.replace(dots, words)
        files = written(advice, tmp_path, FIRST.get(hazard, ""))
        good = rehearsed(shop, write_project(tmp_path / "good", files))
    assert (good.error, [run.status for run in good.migrations]) == (None, ["applied"] * len(files)), advice
    assert hazard not in {found.hazard for found in good.findings}, advice
    assert scans(good) == [], advice
    assert good.left.invalid_indexes == []


TO_FIELD = """migrations.SeparateDatabaseAndState(state_operations=[
    migrations.AlterField("product", "sku", models.CharField(max_length=20, unique=True)),
    migrations.AddField("order", "product", models.CharField(max_length=20, null=True, db_column="sku")),
]),
migrations.AlterField("order", "product", models.ForeignKey(
    "shop.Product", models.SET_NULL, "+", to_field="sku", db_column="sku", null=True, db_index=False)),
"""
TO_ALL = 'migrations.RunSQL("ALTER TABLE shop_order ADD CONSTRAINT at FOREIGN KEY ({}) REFERENCES shop_depot{}", "")'


@pytest.mark.parametrize(
    ("operations", "key"),
    [
        (TO_FIELD, '("sku")\' \' REFERENCES "shop_product" ("sku")'),
        (TO_ALL.format("depot, region", ""), '("depot", "region")\' \' REFERENCES "shop_depot" ("code", "region")'),
        (
            TO_ALL.format("region, depot", " (region, code)"),
            '("region", "depot")\' \' REFERENCES "shop_depot" ("region", "code")',
        ),
    ],
    ids=["to_field", "primary key", "as it is named"],
)
def test_advice_for_a_foreign_key_names_the_columns_that_it_points_to(
    operations: str, key: str, source: Address, tmp_path: Path
) -> None:
    example = tmp_path / "bad.py"
    example.write_text(MIGRATION.format(operations))
    with furnished(source, "keyed") as shop:
        bad = rehearsed(shop, write_project(tmp_path / "bad", [example]))
        [advice] = [found.advice.django for found in bad.findings if found.hazard == "H13"]
        assert key in " ".join(advice.split()), advice
        files = written(re.sub(r"\n +state_operations=\[.*\],", "", advice), tmp_path)
        good = rehearsed(shop, write_project(tmp_path / "good", files))
    assert (good.error, [run.status for run in good.migrations]) == (None, ["applied"] * len(files)), advice
    assert "H13" not in {found.hazard for found in good.findings}, advice


def scans(rehearsal: Rehearsal) -> list[str]:
    statements = [statement for run in rehearsal.migrations for statement in run.statements]
    return read_under_lock([(scan.table, scan.lock) for one in statements for scan in one.scans])
