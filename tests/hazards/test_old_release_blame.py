"""What the drill old-release says of a failure: which model and column it is, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.postgres.embedded import Server
from tests.hazards.releases import HEAD, ITEMS, QUANTITY, detail, drilled

pytestmark = pytest.mark.full

PLACE = (
    HEAD
    + """
class Place(models.Model):
    name = models.CharField(max_length=100, null=True)
    {}


class Restaurant(Place):
    stars = models.IntegerField(default=1)


class Guide(models.Model):
    place = models.OneToOneField(Place, models.CASCADE)
"""
)
STREET = "street = models.CharField(max_length=50, null=True)"
PLACES = (
    "INSERT INTO stock_place (name) SELECT 'n' FROM generate_series(1, 200)",
    "INSERT INTO stock_restaurant SELECT id, 2 FROM stock_place",
    "INSERT INTO stock_guide (place_id) SELECT id FROM stock_place",
)


@pytest.mark.parametrize(
    ("operation", "hazard", "what"),
    [
        ("migrations.RemoveField('place', 'street')", "C01", "is gone"),
        ("migrations.RenameField('place', 'street', 'road')", "C03", "is now called road"),
    ],
)
def test_child_is_told_which_column_of_its_parent(
    server: Server, tmp_path: Path, operation: str, hazard: str, what: str
) -> None:
    new = PLACE.format(STREET.replace("street", "road") if hazard == "C03" else "pass")
    drill, found = drilled(server, tmp_path, PLACE.format(STREET), new, operation, *PLACES)
    summaries = {finding.evidence.summary.partition(" cannot ")[0]: finding for finding in found}
    assert {"stock.Place", "stock.Restaurant"} <= set(summaries)
    child = summaries["stock.Restaurant"]
    assert (child.hazard, child.table) == (hazard, "stock_place")
    assert f": street of stock_place {what} (SQLSTATE 42703)." in child.evidence.summary, drill
    assert '"place", "street"' in child.advice.django


def test_rule_of_a_parents_table_is_told_of_the_parent_alone(server: Server, tmp_path: Path) -> None:
    new = PLACE.format("rank = models.IntegerField(default=0)")
    operation = "migrations.AddField('place', 'rank', models.IntegerField(default=0))"
    drill, found = drilled(server, tmp_path, PLACE.format("pass"), new, operation, *PLACES)
    assert [(finding.hazard, finding.table) for finding in found] == [("C04", "stock_place")]
    assert "So do" not in drill.reason
    assert "because stock_place refuses a row that it needs: insert" in detail(drill, "stock.Guide")


def test_advice_for_a_forbidden_null_names_the_field_that_is_there(server: Server, tmp_path: Path) -> None:
    new = PLACE.replace("null=True)", 'default="")', 1).format("pass")
    operation = "migrations.AlterField('place', 'name', models.CharField(max_length=100, default=''))"
    _, [finding] = drilled(server, tmp_path, PLACE.format("pass"), new, operation, *PLACES)
    assert finding.hazard == "C04"
    assert 'migrations.AlterField("place", "name", models.CharField(null=False))' in finding.advice.django
    assert "AddField" not in finding.advice.django


RAISES = """migrations.RunSQL([
    "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{}'; END $$",
    "CREATE TRIGGER t BEFORE INSERT ON stock_item FOR EACH ROW EXECUTE FUNCTION no()"], migrations.RunSQL.noop)"""


@pytest.mark.parametrize(
    ("sqlstate", "what"),
    [
        ("P0001", "the database's own code, such as a trigger, refuses it (SQLSTATE P0001)."),
        ("42501", "the server refuses it, which it did not before (SQLSTATE 42501)."),
    ],
)
def test_refusal_of_a_trigger_is_not_a_narrower_type(server: Server, tmp_path: Path, sqlstate: str, what: str) -> None:
    _, [finding] = drilled(server, tmp_path, QUANTITY, QUANTITY, RAISES.format(sqlstate), ITEMS)
    assert finding.hazard == "C05"
    assert finding.evidence.summary.endswith(what)
    assert "type" not in finding.advice.summary
    compile(finding.advice.django, sqlstate, "exec")


def test_child_is_told_that_its_parents_table_has_another_name(server: Server, tmp_path: Path) -> None:
    new = PLACE.format('class Meta:\n        db_table = "locations"')
    operation = "migrations.AlterModelTable('place', 'locations')"
    drill, found = drilled(server, tmp_path, PLACE.format("pass"), new, operation, *PLACES)
    summaries = {finding.evidence.summary.partition(" cannot ")[0]: finding for finding in found}
    assert "its table is now called locations" in summaries["stock.Place"].evidence.summary
    child = summaries["stock.Restaurant"]
    assert (child.hazard, child.table) == ("C03", "stock_place"), drill
    assert "the table stock_place is now called locations (SQLSTATE 42P01)." in child.evidence.summary


BOARD = """
class Board(models.Model):
    name = models.CharField(max_length=100, null=True)

    class Meta:
        managed = False
        db_table = "stock_place"


class Place"""


def test_advice_names_the_model_that_failed_and_not_another_of_its_table(server: Server, tmp_path: Path) -> None:
    old, new = (PLACE.replace("class Place", BOARD, 1).format(more) for more in (STREET, "pass"))
    drill, found = drilled(server, tmp_path, old, new, "migrations.RemoveField('place', 'street')", *PLACES)
    assert {finding.hazard for finding in found} == {"C01"}, drill
    models = [finding.evidence.summary.partition(" cannot ")[0] for finding in found]
    assert models == ["stock.Place", "stock.Restaurant", "stock.Guide"]  # the guide needs a place of its own
    assert all('RemoveField("place", "street")' in finding.advice.django for finding in found)


JOBS = """
from django.db import models


class Job(models.Model):
    key = models.CharField(max_length=40, primary_key=True)
    number = models.IntegerField(unique=True)
    state = models.CharField(max_length=10, choices=[("new", "N"), ("done", "D"){0}])


class Numbered(models.Model):
    key = models.CharField(max_length=40, unique=True)
    number = models.IntegerField(primary_key=True)
    state = models.CharField(max_length=10, choices=[("new", "N"), ("done", "D"){0}])

    class Meta:
        managed = False
        db_table = "stock_job"
"""


def test_models_that_know_a_tables_rows_by_different_keys_read_their_own(server: Server, tmp_path: Path) -> None:
    choices = "[('new', 'N'), ('done', 'D'), ('held', 'H')]"
    drill, found = drilled(
        server,
        tmp_path,
        JOBS.format(""),
        JOBS.format(', ("held", "H")'),
        f"migrations.AlterField('job', 'state', models.CharField(max_length=10, choices={choices}))",
        "INSERT INTO stock_job (key, number, state) SELECT 'k' || n, n, 'new' FROM generate_series(1, 2000) n",
    )
    assert [(finding.hazard, finding.evidence.summary.partition(":")[0]) for finding in found] == [
        ("C07", "stock.Job"),
        ("C07", "stock.Numbered"),
    ], drill
