"""The agent in the oldest and the newest interpreter, Django and driver that it supports."""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom import shell
from greenroom.postgres.embedded import Server
from tests.integration.agent_cases import CASES, check, rehearse_all, runs
from tests.integration.agent_stage import Stage, staged

ROOT = Path(__file__).parents[2]
INTERPRETERS = {"oldest": "3.8", "newest": "3.13"}
VERSIONS = {"oldest": ("3.8.", "4.2.", "psycopg2 "), "newest": ("3.13.", "6.", "psycopg 3")}

pytestmark = pytest.mark.full


@pytest.fixture(scope="module", params=["oldest", "newest"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def python(kind: str) -> str:
    """An interpreter of that kind, with what requirements/compat-KIND.txt pins; made once, kept under build/."""
    base = interpreter(INTERPRETERS[kind])
    pins = ROOT / "requirements" / f"compat-{kind}.txt"
    mark = hashlib.sha256(f"{base}\n{pins.read_text()}".encode()).hexdigest()
    home = ROOT / "build" / f"compat-{kind}"
    with locked(home.with_suffix(".lock")):
        if not (home / "mark").exists() or (home / "mark").read_text() != mark:
            shell.run([base, "-m", "venv", "--clear", home])
            shell.run([home / "bin" / "pip", "install", "--quiet", "--require-hashes", "-r", pins])
            (home / "mark").write_text(mark)
    return str(home / "bin" / "python")


def interpreter(version: str) -> str:
    """`pythonX.Y` on PATH. A shim of pyenv runs only what PYENV_VERSION names; others do not look at it."""
    found = shell.run(
        [f"python{version}", "-c", "import sys; print(sys.executable)"], env={"PYENV_VERSION": version}, check=False
    )
    if found.code != 0 and not os.environ.get("CI"):
        pytest.skip(f"python{version} is not on PATH")
    assert found.code == 0, f"python{version} is not on PATH: {found.stderr}"
    return found.stdout.strip()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One worker makes it, the others wait."""
    path.parent.mkdir(exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def stage(kind: str, python: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    server: Server = request.getfixturevalue("server15" if kind == "oldest" else "server18")
    with staged(server, tmp_path) as found:
        found.python = python
        yield found


def test_operations_are_seen_as_they_are(stage: Stage, kind: str) -> None:
    told = rehearse_all(stage)
    ready = told.one("ready")
    for key, beginning in zip(("python", "django", "driver"), VERSIONS[kind], strict=True):
        assert ready[key].startswith(beginning)
    assert ready["lock_timeout"] == "2s"
    for number in range(2, len(CASES) + 2):
        check(told, number)
    assert told.names[-1] == "done"


def test_autocommit_is_wrapped_or_polled(stage: Stage) -> None:
    stage.migration("0002_add", runs("ALTER TABLE shop_big ADD a int"), atomic=False)
    stage.migration("0003_index", runs("CREATE INDEX CONCURRENTLY i ON shop_big (n)"), atomic=False)
    stage.python_step(
        "0004_python",
        """
        from django.db import IntegrityError
        try:
            apps.get_model("shop", "Child").objects.create(big_id=999999)
        except IntegrityError:
            print("caught")
        assert sum(1 for _ in Big.objects.iterator(chunk_size=500)) == 2000
        with transaction.atomic():
            Big.objects.filter(n__lt=10).update(code="x")
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE shop_cust SET name = %s WHERE id = %s", [("a", 1), ("b", 2)])
        """,
        atomic=False,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert [one["how"] for one in told.statements("0002_add")] == ["wrapped"]
    assert [one["how"] for one in told.statements("0003_index")] == ["wrapped", "polled"]
    assert [one["how"] for one in told.statements("0004_python")] == ["wrapped", "polled", "transaction", "wrapped"]
    assert told.printed == "caught\n"


def test_guards_hold(stage: Stage, kind: str) -> None:
    driver = "psycopg2" if kind == "oldest" else "psycopg"
    address = stage.address
    stage.python_step(
        "0002_out",
        f"""
        import socket, {driver}
        own = {{key: connection.get_connection_params()[key] for key in ("host", "port", "dbname", "user", "password")}}
        {driver}.connect(**own).close()
        for attempt in (
            lambda: connections["other"].ensure_connection(),
            lambda: {driver}.connect(**{{**own, "dbname": "postgres"}}),
            lambda: {driver}.connect("host=10.1.2.3 dbname=shop"),
            lambda: socket.create_connection(("127.0.0.1", 9)),
            lambda: socket.getaddrinfo("db.example.com", 5432),
        ):
            try:
                attempt()
            except OSError as error:
                print(error)
        from django.core import cache, mail
        mail.send_mail("hello", "body", "a@example.com", ["b@example.com"])
        print(type(cache.caches["default"]).__name__)
        """,
    )
    told = stage.rehearse()
    assert told.code == 0, (told.events[-1], told.printed)
    assert [one["what"] for one in told.all("refused")] == [
        "database alias other",
        f"{address.host}:{address.port}/postgres",
        "10.1.2.3:5432/shop",
        "127.0.0.1:9",
        "db.example.com:5432",
    ]
    assert told.printed.endswith("LocMemCache\n")


def test_lease_is_asked_for(stage: Stage) -> None:
    told = stage.rehearse(lease="another")
    assert (told.code, told.names, told.one("failed")["during"]) == (1, ["failed"], "guard")


def test_failure_is_told_without_data(stage: Stage) -> None:
    stage.sql("UPDATE shop_big SET code = 'planted-secret' WHERE id < 3")
    stage.migration(
        "0002_unique", 'migrations.AddConstraint("big", models.UniqueConstraint(fields=["code"], name="code_once"))'
    )
    told = stage.rehearse()
    failed = told.one("failed")
    assert (failed["exception"], failed["sqlstate"], failed["constraint"]) == ("IntegrityError", "23505", "code_once")
    assert "planted-secret" not in str(told.events) + told.printed


def test_signal_ends_a_statement(stage: Stage) -> None:
    stage.migration("0002_hang", runs("SELECT pg_sleep(60)"))
    with stage.running() as process:
        assert process.stdin and process.stdout
        for line in process.stdout:
            if '"event": "plan"' in line:
                process.stdin.write('{"go": true}\n')
                process.stdin.flush()
            if "pg_sleep" in line and '"statement_start"' in line:
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 143


def test_twins_are_written_and_run_from_where_they_lie(stage: Stage, tmp_path: Path) -> None:
    place = tmp_path / "private"
    place.mkdir()
    changes = {
        "0002_index": 'migrations.AddIndex("big", models.Index(fields=["code"], name="big_code"))',
        "0003_key": """migrations.AlterField(
            "big", "cust", models.ForeignKey("shop.Cust", models.CASCADE, null=True, db_index=True))""",
        "0004_null": 'migrations.AlterField("big", "n", models.IntegerField(db_index=True, default=7))',
        "0005_around": """migrations.RunPython(fill, migrations.RunPython.noop),
            migrations.AddField("child", "note", models.SlugField(null=True))""",
        "0006_text": 'migrations.AlterField("big", "code", models.TextField())',
    }
    for name, operations in changes.items():
        stage.migration(name, operations, before="def fill(apps, editor):\n    pass\n")
    told = stage.rehearse(performed=str(place))
    assert told.code == 0, told.events[-1]
    wanted = {f"shop.{name}": {"1" if "around" in name else "0": ["H01"]} for name in changes}
    told = stage.rehearse(twins={"directory": str(place), "wanted": wanted, "lock_timeout": "500ms"})
    assert told.code == 0, (told.events[-1], told.printed)
    written = {one["name"]: one for one in told.all("twin")}
    assert {name: len(one["files"]) for name, one in written.items()} == {
        "0002_index": 1,
        "0003_key": 3,
        "0004_null": 5,
        "0005_around": 3,
        "0006_text": 0,
    }
    assert written["0006_text"]["reason"].startswith("Alter field code on big: ALTER TABLE ALTER COLUMN has no twin")
    undo = [f"shop.{name}" for name in reversed(changes)]
    assert stage.rehearse(undo=undo).code == 0
    stage.sql("UPDATE shop_big SET n = NULL WHERE id < 1000")
    again = stage.rehearse(shadow={"shop.migrations": str(place / "files" / "shop")})
    assert again.code == 0, (again.events[-1], again.printed)
    files = [name for one in written.values() for name in one["files"]] + ["0006_text.py"]
    assert [f"{one['name']}.py" for one in again.all("migration_end")] == files
    assert stage.sql("SELECT count(*) FROM shop_big WHERE n = 7") == [(999,)]


def test_models_are_exercised(stage: Stage) -> None:
    stage.write("shop/models.py", _MODELS)
    stage.sql(_JOBS)
    told = stage.rehearse(exercise="try")
    assert told.code == 0, (told.events[-1], told.printed)
    tries = {(one["model"], one["action"]): one["exception"] for one in told.all("tried")}
    assert {key for key, exception in tries.items() if exception} == set()
    assert {action for model, action in tries if model == "shop.Job"} == {
        *("read", "understand", "insert", "insert NULLs", "insert the longest", "insert the least", "update", "delete"),
        *("insert choice 1 of state", "insert choice 2 of state"),
    }
    assert {action for model, action in tries if model == "shop.Seen"} == {"read", "understand"}
    written = {one["table"]: one["keys"] for one in stage.rehearse(exercise="write").all("wrote")}
    assert len(written["shop_job (key)"]) > 5
    stage.write("shop/models.py", _MODELS.replace(', ("held", "H")', ""))
    tries = {
        one["model"]: one["exception"] for one in stage.rehearse(exercise="understand", written=written).all("tried")
    }
    assert tries == {"shop.Job": "UnknownChoice", "shop.Seen": None}


_MODELS = """
    import uuid
    from django.db import models
    from django.db.models.functions import Lower

    class Job(models.Model):
        key = models.UUIDField(primary_key=True, default=uuid.uuid4)
        name = models.CharField(max_length=40)
        note = models.TextField(null=True)
        size = models.IntegerField()
        state = models.CharField(max_length=9, choices=[("new", "N"), ("held", "H")])

        class Meta:
            constraints = [models.UniqueConstraint(Lower("name"), name="once")]

    class Seen(models.Model):
        name = models.CharField(max_length=40)

        class Meta:
            managed = False
"""
_JOBS = """
    CREATE TABLE shop_job (key uuid PRIMARY KEY, name varchar(40) NOT NULL, note text, size integer NOT NULL,
        state varchar(9) NOT NULL);
    CREATE UNIQUE INDEX once ON shop_job (lower(name));
    INSERT INTO shop_job VALUES (gen_random_uuid(), 'A', NULL, 1, 'new');
    CREATE VIEW shop_seen AS SELECT row_number() OVER () AS id, name FROM shop_job;
"""


@pytest.mark.parametrize("kind", ["newest"], indirect=True)
def test_tasks_and_mailers_of_django_6_stay_inside(stage: Stage) -> None:
    stage.write("settings.py", (stage.directory / "settings.py").read_text() + _TASKS)
    stage.write(
        "shop/work.py", "from django.tasks import task\n@task(queue_name='slow')\ndef call(): print('called')\n"
    )
    stage.python_step(
        "0002_task",
        """
        from django.core import mail
        from shop.work import call
        print(call.enqueue().status, type(mail.mailers["default"]).__module__)
        """,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert told.printed == "READY django.core.mail.backends.dummy\n"


_TASKS = """
TASKS = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend", "QUEUES": ["slow"]}}
del EMAIL_HOST
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": {"host": "10.0.0.2"}}}
"""
