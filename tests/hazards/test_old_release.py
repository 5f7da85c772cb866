"""What the drill old-release must not miss, and must not say: models, releases and changes of odd kinds."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from greenroom.postgres.embedded import Server
from greenroom.rehearsal.document import Drill, Finding
from tests.hazards.releases import NAMES, change, git, rehearsed, running, told_by_variables

HEAD = "from django.db import models\nfrom django.db.models.functions import Lower\n"
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


def drilled(
    server: Server, place: Path, old: str, new: str, operations: str, *fill: str, before: tuple[str, ...] = ()
) -> tuple[Drill, list[Finding]]:
    """What the drill says of the change from one release to the next."""
    with running(server, place / "project", old, *fill, before=before) as (source, project):
        change(project, new, operations)
        rehearsal = rehearsed(source, project)
    [drill] = rehearsal.drills
    return drill, [finding for finding in rehearsal.findings if finding.drill]


def said(found: list[Finding]) -> list[tuple[str, str]]:
    """The findings' hazards, and what they say."""
    return [(finding.hazard, finding.evidence.summary) for finding in found]


def detail(drill: Drill, model: str) -> str:
    """Of one model's step."""
    [step] = [step for step in drill.steps if step.what == model]
    return step.detail


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


ORDERED = (
    HEAD
    + """
class Place(models.Model):
    a = models.IntegerField()
    b = models.IntegerField()
    name = models.CharField(max_length={})

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(a__lt=models.F("b")), name="in_order")]
"""
)
NARROWER = "migrations.AlterField('place', 'name', models.CharField(max_length=10))"
OTHER = "\nclass Other(models.Model):\n    word = models.CharField(max_length=10)\n"


def test_nothing_judged_is_no_pass(server: Server, tmp_path: Path) -> None:
    drill, found = drilled(server, tmp_path, ORDERED.format(50), ORDERED.format(10), NARROWER)
    assert (drill.status, found) == ("broken off", [])
    assert drill.reason == (
        "v1 (no pins, so the present environment) could write nothing on the old schema either, so that nothing is "
        "known of the new one. 1 of 2 models could not be judged fully: stock.Place."
    )


def test_unjudged_model_is_a_note_and_named(server: Server, tmp_path: Path) -> None:
    drill, _ = drilled(server, tmp_path, ORDERED.format(50) + OTHER, ORDERED.format(10) + OTHER, NARROWER)
    assert drill.status == "passed"
    assert [(step.what, step.status) for step in drill.steps[1:]] == [
        ("stock.Place", "note"),
        ("stock.Other", "passed"),
    ]
    assert drill.reason.endswith("1 of 3 models could not be judged fully: stock.Place.")
    assert " all " not in drill.reason


ITEM = (
    HEAD
    + """
class Item(models.Model):
    name = models.CharField(max_length=100)
    {}
"""
)
QUANTITY = ITEM.format("quantity = models.IntegerField(null=True)")
GONE = "migrations.RemoveField('item', 'quantity')"
ITEMS = "INSERT INTO stock_item (name) SELECT 'n' || n FROM generate_series(1, 2000) n"


def environment(place: Path, source: Path) -> str:
    """An interpreter that has what this one has, and `source` installed as editable."""
    venv.create(place)
    [packages] = (place / "lib").glob("python*/site-packages")
    (packages / "beside.pth").write_text(f"{Path(sys.prefix, *packages.parts[-3:])}\n")
    (packages / "stock.pth").write_text(f"{source}\n")
    return str(place / "bin" / "python")


def test_editable_install_of_the_checkout_is_not_what_runs(server: Server, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv", tmp_path / "project" / "src")
    with running(server, tmp_path / "project", QUANTITY, ITEMS, under="src", python=python) as (source, project):
        told_by_variables(project)
        change(project, ITEM.format("pass"), GONE, under="src")
        check = 'python -c "from pathlib import Path; import stock; Path(stock.__file__).relative_to(Path.cwd())"'
        rehearsal = rehearsed(source, project, python=python, check=check, variables=NAMES)
    [drill] = rehearsal.drills
    assert drill.status == "failed", drill
    assert "quantity is gone" in drill.reason
    assert drill.steps[-1].detail == "exit code 0"


def test_code_that_is_not_the_release_breaks_the_drill_off(server: Server, tmp_path: Path) -> None:
    """The app stood in another directory then, which the environment knows no more."""
    python = environment(tmp_path / "venv", tmp_path / "project" / "lib")
    with running(server, tmp_path / "project", QUANTITY, ITEMS, under="lib", python=python) as (source, project):
        environment(tmp_path / "venv", project / "src")
        git(project, "mv", "lib", "src")
        change(project, ITEM.format("pass"), GONE, under="src")
        [drill] = rehearsed(source, project, python=python).drills
    assert drill.status == "broken off"
    assert drill.reason == "v1's code was not what ran: stock.models was loaded from elsewhere."


@pytest.mark.parametrize("base", [None, "v1"])
def test_head_is_the_running_release_until_the_change_is_committed(
    server: Server, tmp_path: Path, base: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(server, tmp_path / "project", QUANTITY, ITEMS) as (source, project):
        git(project, "tag", "--delete", "v1")
        git(project, "tag", "v0")
        monkeypatch.setenv("GIT_COMMITTER_DATE", "2040-01-01T00:00:00Z")
        git(project, "commit", "--quiet", "--allow-empty", "--message", "v1")
        git(project, "tag", "v1")
        change(project, ITEM.format("pass"), GONE, commit=False)
        [drill] = rehearsed(source, project, base=base).drills
    assert drill.status == "failed", drill
    assert drill.reason.startswith("v1 "), drill


def test_files_that_are_no_code_do_not_make_head_the_running_release(server: Server, tmp_path: Path) -> None:
    with running(server, tmp_path / "project", QUANTITY, ITEMS) as (source, project):
        change(project, ITEM.format("pass"), GONE)
        git(project, "tag", "v2")
        (project / "report.html").touch()
        [drill] = rehearsed(source, project).drills
    assert drill.reason.startswith("v1 "), drill


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


STUBBORN = (
    HEAD
    + """
from django.db.models.signals import post_delete, post_init, pre_delete, pre_save


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


for signal in (pre_save, pre_delete, post_delete):
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


def wheel(place: Path, version: str, word: str) -> str:
    """A package `pinned` of that version, which also lends its environment what this one has; its path."""
    name = f"pinned-{version}"
    info, file = f"{name}.dist-info", place / f"{name}-py3-none-any.whl"
    [packages] = {path for path in sys.path if path.endswith("site-packages")}
    files = {
        "pinned.py": f"{word} = 100\n",
        "pinned.pth": f"{packages}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: pinned\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return file.name


def test_release_runs_with_its_own_pinned_dependencies(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its models need a name that only its own version of a package has; pip installs that from its repository."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    models = "from pinned import {}\n" + QUANTITY
    project = tmp_path / "project"
    project.mkdir()
    old = wheel(project, "1.0", "OLD")
    python = environment(tmp_path / "venv", project)
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", project / old], check=True
    )
    (project / "requirements.txt").write_text(f"./{old}\n")
    with running(server, project, models.format("OLD"), ITEMS, python=python) as (source, project):
        new = wheel(project, "2.0", "NEW")
        (project / "requirements.txt").write_text(f"./{new}\n")
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", project / new],
            check=True,
        )
        change(project, models.format("NEW").replace("quantity = models.IntegerField(null=True)", "pass"), GONE)
        [drill] = rehearsed(source, project, python=python).drills
    assert drill.status == "failed", drill
    assert drill.reason.startswith("v1 (its own requirements.txt): stock.Item cannot read")
    assert "quantity is gone" in drill.reason
