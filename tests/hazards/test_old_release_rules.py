"""What the drill old-release makes of rules for a row: unique ones, exclusions, checks, keys of two columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.postgres.embedded import Server
from tests.hazards.releases import HEAD, detail, drilled, said

pytestmark = pytest.mark.full

EMAIL = (
    HEAD
    + """
class User(models.Model):
    email = models.CharField(max_length=100)
    {}

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="email_once")]
"""
)
USERS = "INSERT INTO stock_user (email) SELECT 'T' || n FROM generate_series(1, 2000) n"


def test_unique_rule_over_an_expression_leaves_inserts_judged(server: Server, tmp_path: Path) -> None:
    points = "migrations.AddField('user', 'points', models.IntegerField(default=0))"
    new = EMAIL.format("points = models.IntegerField(default=0)")
    drill, found = drilled(server, tmp_path, EMAIL.format(""), new, points, USERS)
    assert [hazard for hazard, _ in said(found)] == ["C04"]
    assert found[0].evidence.summary.startswith("stock.User cannot insert (and "), found
    assert "not judged" not in detail(drill, "stock.User")


EXCLUDING = (
    HEAD
    + """
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, DateTimeRangeField
from django.db.models import Func


class Span(Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class Shift(models.Model):
    begins = models.DateTimeField()
    ends = models.DateTimeField()

    class Meta:
        constraints = [ExclusionConstraint(name="one_at_a_time", expressions=[(Span("begins", "ends"), "&&")])]


class Stay(models.Model):
    nights = DateRangeField()
    note = models.CharField(max_length=10, null=True)

    class Meta:
        constraints = [ExclusionConstraint(name="one_guest", expressions=[("nights", "&&")])]
"""
)


def test_exclusion_leaves_inserts_judged(server: Server, tmp_path: Path) -> None:
    drill, found = drilled(
        server,
        tmp_path,
        EXCLUDING,
        EXCLUDING.replace("max_length=10", "max_length=20"),
        "migrations.AlterField('stay', 'note', models.CharField(max_length=20, null=True))",
        "INSERT INTO stock_shift (begins, ends) SELECT d, d + interval '1 hour' FROM generate_series("
        "timestamptz '2020-01-01', timestamptz '2020-02-01', interval '1 day') d",
        "INSERT INTO stock_stay (nights) VALUES ('[2020-01-01,2020-01-09)'), ('[2020-02-01,2020-02-09)')",
    )
    assert (drill.status, found) == ("passed", [])
    assert drill.reason.endswith("reads and writes all 3 models on the new schema."), drill
    assert [step.what for step in drill.steps if "not judged" in step.detail] == []


ORDERED = (
    HEAD
    + """
class Place(models.Model):
    a = models.IntegerField()
    b = models.IntegerField()
    name = models.CharField(max_length={})

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q({}), name="in_order")]
"""
)
STRANGE = 'a=models.F("b") * 50'  # which no row that is made up keeps to
NARROWER = "migrations.AlterField('place', 'name', models.CharField(max_length=10))"
OTHER = "\nclass Other(models.Model):\n    word = models.CharField(max_length=10)\n"


def test_nothing_judged_is_no_pass(server: Server, tmp_path: Path) -> None:
    drill, found = drilled(server, tmp_path, ORDERED.format(50, STRANGE), ORDERED.format(10, STRANGE), NARROWER)
    assert (drill.status, found) == ("broken off", [])
    assert drill.reason == (
        "v1 (no pins, so the present environment) could write nothing on the old schema either, so that nothing is "
        "known of the new one. 1 of 2 models could not be judged fully: stock.Place."
    )


@pytest.mark.parametrize("check", ['a__lt=models.F("b")', 'a__gt=models.F("b")'])
def test_check_over_two_columns_of_an_empty_table_leaves_it_judged(server: Server, tmp_path: Path, check: str) -> None:
    drill, found = drilled(server, tmp_path, ORDERED.format(50, check), ORDERED.format(10, check), NARROWER)
    assert [one.hazard for one in found] == ["C06"], drill
    assert detail(drill, "stock.Place").startswith("insert the longest")


def test_check_that_is_new_is_not_evaded(server: Server, tmp_path: Path) -> None:
    """A row of the running release is made by its own checks, and not so that the new ones let it in."""
    old = ORDERED.format(50, 'a__lte=models.F("b")')
    new = ORDERED.format(50, 'a__lt=models.F("b")')
    operation = (
        "migrations.RemoveConstraint('place', 'in_order'), migrations.AddConstraint('place', "
        "models.CheckConstraint(condition=models.Q(a__lt=models.F('b')), name='in_order'))"
    )
    drill, found = drilled(server, tmp_path, old, new, operation)
    assert [one.hazard for one in found] == ["C05"], drill


def test_unjudged_model_is_a_note_and_named(server: Server, tmp_path: Path) -> None:
    old, new = (ORDERED.format(length, STRANGE) + OTHER for length in (50, 10))
    drill, _ = drilled(server, tmp_path, old, new, NARROWER)
    assert drill.status == "passed"
    assert [(step.what, step.status) for step in drill.steps[1:]] == [
        ("stock.Place", "note"),
        ("stock.Other", "passed"),
    ]
    assert drill.reason.endswith("1 of 3 models could not be judged fully: stock.Place.")
    assert " all " not in drill.reason


REVIEW = (
    HEAD
    + """
class Review(models.Model):
    title = models.CharField(max_length={})
    rating = models.IntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(rating__lte=5), name="rating_max")]
"""
)


def test_one_rule_hides_no_other_field(server: Server, tmp_path: Path) -> None:
    drill, found = drilled(
        server,
        tmp_path,
        REVIEW.format(100),
        REVIEW.format(50),
        "migrations.AlterField('review', 'title', models.CharField(max_length=50))",
        "INSERT INTO stock_review (title, rating) SELECT 't' || n, n % 5 FROM generate_series(1, 2000) n",
    )
    assert [hazard for hazard, _ in said(found)] == ["C06"], drill
    assert found[0].evidence.summary.startswith("stock.Review cannot insert the longest in title")
    assert detail(drill, "stock.Review").endswith("too: insert the longest in rating"), drill


PAIRED = """
from django.db import models


class Seat(models.Model):
    pk = models.CompositePrimaryKey("row", "place")
    row = models.IntegerField()
    place = models.CharField(max_length=10)
    note = models.CharField(max_length={}, null=True)
"""


def test_key_of_two_columns_leaves_inserts_judged(server: Server, tmp_path: Path) -> None:
    drill, found = drilled(
        server,
        tmp_path,
        PAIRED.format(50),
        PAIRED.format(10),
        "migrations.AlterField('seat', 'note', models.CharField(max_length=10, null=True))",
        "INSERT INTO stock_seat (\"row\", place) SELECT n, 'p' || n FROM generate_series(1, 2000) n",
    )
    assert [one.hazard for one in found] == ["C06"], drill
    assert "not judged" not in detail(drill, "stock.Seat")
