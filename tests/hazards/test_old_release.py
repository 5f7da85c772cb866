"""What the drill old-release must not miss, and must not say: models, releases and changes of odd kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.postgres.embedded import Server
from tests.hazards.releases import HEAD, ITEM, ITEMS, detail, drilled, said

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


KEYED = """
import uuid

from django.db import models


class Job(models.Model):
    key = models.{}(primary_key=True{})
    state = models.CharField(max_length=10, choices=[("new", "N"), ("done", "D"){}])
"""
HELD = ', ("held", "H")'


@pytest.mark.parametrize(
    ("kind", "more", "key"),
    [("UUIDField", ", default=uuid.uuid4", "gen_random_uuid()"), ("CharField", ", max_length=40", "'z' || n")],
)
def test_rows_of_the_new_release_are_read_whatever_their_keys(
    server: Server, tmp_path: Path, kind: str, more: str, key: str
) -> None:
    fill = f"INSERT INTO stock_job (key, state) SELECT {key}, 'new' FROM generate_series(1, 2000) n"
    old, new = KEYED.format(kind, more, ""), KEYED.format(kind, more, HELD)
    choices = "[('new', 'N'), ('done', 'D'), ('held', 'H')]"
    operation = f"migrations.AlterField('job', 'state', models.CharField(max_length=10, choices={choices}))"
    drill, found = drilled(server, tmp_path, old, new, operation, fill)
    assert said(found) == [("C07", "stock.Job: state: the new release may write a choice that it does not know.")], (
        drill
    )


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


STATES = (
    HEAD
    + """
class Job(models.Model):
    state = models.CharField(max_length=10, choices=[("new", "N"), ("done", "D"){}])
"""
)


def test_every_choice_is_tried(server: Server, tmp_path: Path) -> None:
    drill, found = drilled(
        server,
        tmp_path,
        STATES.format(HELD),
        STATES.format(""),
        "migrations.AddConstraint('job', models.CheckConstraint("
        "condition=models.Q(state__in=['new', 'done']), name='known'))",
        "INSERT INTO stock_job (state) SELECT 'new' FROM generate_series(1, 2000) n",
    )
    assert said(found) == [
        (
            "C05",
            "stock.Job cannot insert choice 3 of state: the constraint known refuses what it writes (SQLSTATE 23514).",
        )
    ], drill


VIEWED = (
    ITEM.format("quantity = models.IntegerField(null=True)")
    + """
class Summary(models.Model):
    name = models.CharField(max_length=100)
    total = models.IntegerField()

    class Meta:
        managed = False
        db_table = "stock_summary"


class Outside(models.Model):
    name = models.CharField(max_length=100)

    class Meta:
        managed = False
        db_table = "outside"


class Absent(models.Model):
    class Meta:
        managed = False
"""
)


def test_views_and_unmanaged_tables_are_exercised(server: Server, tmp_path: Path) -> None:
    drill, found = drilled(
        server,
        tmp_path,
        VIEWED,
        VIEWED,
        "migrations.RunSQL(['DROP VIEW stock_summary', 'CREATE VIEW stock_summary AS SELECT id, name FROM stock_item',"
        " 'ALTER TABLE outside ALTER name TYPE varchar(10)'], migrations.RunSQL.noop)",
        ITEMS,
        "CREATE VIEW stock_summary AS SELECT id, name, quantity AS total FROM stock_item",
        "CREATE TABLE outside (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name varchar(100) NOT NULL)",
    )
    assert said(found) == [
        ("C01", "stock.Summary cannot read: total is gone (SQLSTATE 42703)."),
        (
            "C06",
            "stock.Outside cannot insert the longest: insert the longest does not fit the new type (SQLSTATE 22001).",
        ),
    ], drill
    assert [step.what for step in drill.steps[1:]] == ["stock.Item", "stock.Summary", "stock.Outside"]


STUBBORN = (
    HEAD
    + """
from django.db.models.signals import post_delete, post_init, pre_delete, pre_init, pre_save


def refuse(**_):
    raise RuntimeError("a signal was sent")


class Hidden(models.Manager):
    def get_queryset(self):
        return super().get_queryset().none()

    def create(self, **_):
        raise RuntimeError("the manager's own create was called")


class Item(models.Model):
    name = models.CharField(max_length=100)
    {}
    objects = Hidden()

    def save(self, *_, **__):
        raise RuntimeError("save() was called")

    def delete(self, *_, **__):
        raise RuntimeError("delete() was called")


for signal in (pre_init, post_init, pre_save, pre_delete, post_delete):
    signal.connect(refuse, sender=Item)
"""
)


def test_overrides_managers_and_signals_are_not_met(server: Server, tmp_path: Path) -> None:
    colour = "colour = models.CharField(max_length=9, null=True)"
    operation = "migrations.AddField('item', 'colour', models.CharField(max_length=9, null=True))"
    note = "note = models.CharField(max_length=9, null=True)"
    drill, found = drilled(
        server, tmp_path, STUBBORN.format(note), STUBBORN.format(f"{note}\n    {colour}"), operation, ITEMS
    )
    assert (drill.status, found) == ("passed", [])
    assert drill.reason.endswith("reads and writes all 2 models on the new schema.")
    assert "not judged" not in detail(drill, "stock.Item")


SEARCHED = ("CREATE SCHEMA app", "ALTER ROLE CURRENT_USER SET search_path = app, public")
SORTED = """
from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=100{})
    {} = models.IntegerField(null=True)

    class Meta:
        ordering = ["name"]
"""


RENAMED = "migrations.RenameField('item', 'quantity', 'amount')"
UNSORTED = "migrations.AlterField('item', 'name', models.CharField(max_length=100))"


@pytest.mark.parametrize(
    ("new", "operation", "hazard", "says"),
    [
        ((", db_index=True", "amount"), RENAMED, "C03", "quantity is now called amount (SQLSTATE 42703)."),
        (("", "quantity"), UNSORTED, "C08", "look up its first page in order now reads all of app.stock_item."),
    ],
)
def test_schema_of_the_search_path_is_as_good_as_public(
    server: Server, tmp_path: Path, new: tuple[str, str], operation: str, hazard: str, says: str
) -> None:
    """What became of a column is seen there too, an index that is gone is missed, and rows are told."""
    fill = "INSERT INTO app.stock_item (name) SELECT 'n' || n FROM generate_series(1, 20000) n"
    old = SORTED.format(", db_index=True", "quantity")
    drill, found = drilled(server, tmp_path, old, SORTED.format(*new), operation, fill, before=SEARCHED)
    assert [one.hazard for one in found] == [hazard], drill
    assert (found[0].table, found[0].evidence.rows) == ("app.stock_item", 20000)
    assert found[0].evidence.summary.endswith(says), found[0].evidence.summary


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


LINES = """
from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=10)


class Line(models.Model):
    item = models.ForeignKey(Item, models.CASCADE{})
"""


def test_look_up_of_a_foreign_key_without_its_index_is_told(server: Server, tmp_path: Path) -> None:
    drill, found = drilled(
        server,
        tmp_path,
        LINES.format(""),
        LINES.format(", db_index=False"),
        "migrations.AlterField('line', 'item', models.ForeignKey('stock.Item', models.CASCADE, db_index=False))",
        "INSERT INTO stock_item (name) SELECT 'n' || n FROM generate_series(1, 5000) n",
        "INSERT INTO stock_line (item_id) SELECT 1 + n % 5000 FROM generate_series(1, 20000) n",
    )
    assert said(found) == [("C08", "stock.Line: look up by item now reads all of stock_line.")], drill
