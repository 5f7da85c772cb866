"""What the agent says before anything runs: the plan, or in one sentence why there is none."""

from __future__ import annotations

import hashlib

from tests.integration.agent_stage import SETTINGS, Event, Stage, stage

__all__ = ["stage"]


def planned(stage: Stage, operations: str, before: str = "") -> list[Event]:
    stage.migration("0002_next", operations, before=before)
    told = stage.rehearse(go=False)
    assert (told.code, told.names) == (0, ["ready", "connection", "plan"])
    found: list[Event] = told.one("plan")["migrations"][0]["operations"]
    return found


def failure(stage: Stage, during: str, **request: object) -> str:
    told = stage.rehearse(**request)
    failed = told.one("failed")
    assert (told.code, failed["during"], told.all("statement_start")) == (1, during, [])
    return str(failed["message"])


def test_plan_names_migrations_applied_and_tables(stage: Stage) -> None:
    stage.migration(
        "0002_next", 'migrations.AddField("child", "cust", models.ForeignKey("shop.Cust", models.CASCADE, null=True))'
    )
    stage.migration("0003_last", 'migrations.RunSQL("SELECT 1")', atomic=False)
    plan = stage.rehearse(go=False).one("plan")
    source = (stage.directory / "shop/migrations/0002_next.py").read_bytes()
    assert [(one["app"], one["name"], one["atomic"]) for one in plan["migrations"]] == [
        ("shop", "0002_next", True),
        ("shop", "0003_last", False),
    ]
    assert plan["migrations"][0]["sha256"] == hashlib.sha256(source).hexdigest()
    assert plan["applied"] == ["shop.0001_initial"]
    assert plan["tables"] == ["public.shop_child", "public.shop_cust"]


def test_operation_says_what_the_sql_does_not(stage: Stage) -> None:
    added, altered, plain, code = planned(
        stage,
        """
        migrations.AddField("big", "key", models.UUIDField(default=uuid.uuid4, unique=True)),
        migrations.AlterField("big", "n", models.PositiveIntegerField(default=0)),
        migrations.RunSQL("SELECT 'secret'", "SELECT 'back'"),
        migrations.RunPython(lambda apps, editor: None),
        """,
        before="import uuid",
    )
    assert added == {
        "index": 0,
        "kind": "AddField",
        "description": "Add field key to big",
        "table": "public.shop_big",
        "name": "key",
        "field": "UUIDField",
        "reversible": True,
        "traits": ["unique", "default", "callable default", "not null"],
    }
    assert altered["traits"] == ["check", "default", "not null", "was index"]
    assert (plain["kind"], plain["table"], plain["reversible"]) == ("RunSQL", None, True)
    assert "secret" not in str(plain)
    assert (code["kind"], code["reversible"]) == ("RunPython", False)


def test_index_and_constraint_are_named(stage: Stage) -> None:
    found = planned(
        stage,
        """
        migrations.AddIndex("big", models.Index(fields=["code"], name="big_code")),
        migrations.AddConstraint("big", models.UniqueConstraint(fields=["code"], name="big_code_once")),
        migrations.RenameIndex("big", new_name="big_code_2", old_name="big_code"),
        migrations.RemoveConstraint("big", "big_code_once"),
        migrations.RenameField("big", "code", "sign"),
        """,
    )
    assert [one["name"] for one in found] == ["big_code", "big_code_once", "big_code", "big_code_once", "code"]
    assert [one["traits"] for one in found[:2]] == [["index"], ["unique"]]
    assert found[4]["field"] == "CharField"


def test_tables_include_those_at_both_ends_of_foreign_keys(stage: Stage) -> None:
    stage.migration(
        "0002_next",
        """
        migrations.RenameModel("Big", "Huge"),
        migrations.CreateModel("Tag", [
            ("id", models.BigAutoField(primary_key=True)),
            ("owner", models.ForeignKey("shop.Cust", models.CASCADE)),
            ("liked", models.ManyToManyField("shop.Child")),
        ]),
        """,
    )
    tables = stage.rehearse(go=False).one("plan")["tables"]
    assert tables == [
        "public.shop_big",
        "public.shop_cust",
        "public.shop_child",
        "public.shop_tag",
        "public.shop_tag_liked",
    ]


def test_table_in_another_schema_is_found(stage: Stage) -> None:
    stage.sql("CREATE SCHEMA old; ALTER TABLE shop_child SET SCHEMA old; CREATE SCHEMA apart")
    stage.sql(f"ALTER DATABASE {stage.name} SET search_path = public, old")
    fields = '[("id", models.BigAutoField(primary_key=True))]'
    found = planned(
        stage,
        'migrations.AddField("child", "a", models.TextField(null=True)),'
        f"migrations.CreateModel(\"Apart\", {fields}, options={{'db_table': 'apart\".\"thing'}}),"
        f'migrations.CreateModel("Quoted", {fields}, options={{\'db_table\': \'"apart"."other"\'}}),'
        f"migrations.CreateModel('Fresh', {fields}),",
    )
    assert [one["table"] for one in found] == ["old.shop_child", "apart.thing", "apart.other", "public.shop_fresh"]


def test_end_of_input_instead_of_go_does_nothing(stage: Stage) -> None:
    stage.migration("0002_add", 'migrations.AddField("big", "a", models.TextField(null=True))')
    told = stage.rehearse(go=False)
    assert told.code == 0 and told.names[-1] == "plan"
    assert stage.sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'shop_big'::regclass AND attname = 'a'") == [
        (0,)
    ]


def test_nothing_pending_is_an_empty_plan(stage: Stage) -> None:
    told = stage.rehearse()
    assert (told.code, told.one("plan")["migrations"], told.names[-1]) == (0, [], "done")


def test_targets_are_migrated_and_nothing_beyond(stage: Stage) -> None:
    stage.migration("0002_a", 'migrations.RunSQL("SELECT 2")')
    stage.migration("0003_b", 'migrations.RunSQL("SELECT 3")')
    stage.migration("0004_c", 'migrations.RunSQL("SELECT 4")')
    told = stage.rehearse(targets=["shop.0002", "shop.0003_b"])
    assert [one["name"] for one in told.one("plan")["migrations"]] == ["0002_a", "0003_b"]
    assert [one["name"] for one in told.all("migration_start")] == ["0002_a", "0003_b"]
    assert [one["name"] for one in stage.rehearse(targets=["shop"]).all("migration_start")] == ["0004_c"]


def test_target_that_is_not_there_or_not_clear(stage: Stage) -> None:
    stage.migration("0002_a", "")
    assert failure(stage, "plan", targets=["shap.0002"]) == "The project has no app shap with migrations."
    assert failure(stage, "plan", targets=["shop.0009"]) == "The app shop has no migration that begins with 0009."
    assert failure(stage, "plan", targets=["shop.000"]) == (
        "More than one migration of shop begins with 000: write its whole name."
    )


def test_target_behind_what_is_applied(stage: Stage) -> None:
    stage.migration("0002_a", "")
    stage.sql("INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0002_a', now())")
    assert failure(stage, "plan", targets=["shop.0001"]) == (
        "shop.0001_initial would migrate backwards (shop.0002_a is applied); rehearse what is pending."
    )
    assert failure(stage, "plan", targets=["shop.zero"]).startswith("shop.zero would migrate backwards (shop.")


def test_conflicting_migrations(stage: Stage) -> None:
    stage.migration("0002_a", "")
    stage.migration("0002_b", "", after="0001_initial")
    told = stage.rehearse()
    assert (told.one("plan")["conflicts"], told.one("plan")["migrations"]) == ({"shop": ["0002_a", "0002_b"]}, [])
    failed = told.one("failed")
    assert (told.code, failed["during"], failed["exception"]) == (1, "migrate", "CommandError")
    assert told.all("migration_start") == []


def test_inconsistent_history(stage: Stage) -> None:
    stage.migration("0002_a", "")
    stage.migration("0003_b", "")
    stage.sql("INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0003_b', now())")
    assert failure(stage, "plan") == (
        "InconsistentMigrationHistory: Migration shop.0003_b is applied before its dependency shop.0002_a on database "
        "'default'."
    )


def test_migration_that_cannot_be_imported(stage: Stage) -> None:
    stage.write("shop/migrations/0002_broken.py", "import nowhere")
    assert failure(stage, "plan") == "ModuleNotFoundError: No module named 'nowhere'"


def test_settings_that_cannot_be_used(stage: Stage) -> None:
    assert failure(stage, "start", settings="missing.settings") == (
        "The settings module missing.settings cannot be imported: ModuleNotFoundError: No module named 'missing'"
    )
    assert failure(stage, "start", settings=None) == (
        "No settings module is named, neither by --settings nor by DJANGO_SETTINGS_MODULE."
    )
    assert failure(stage, "start", alias="main") == (
        "The settings know no database alias main; they have: default, other."
    )
    stage.write("settings.py", SETTINGS.replace("db.backends.postgresql", "db.backends.sqlite3"))
    assert failure(stage, "start") == (
        "The database alias default is not PostgreSQL but django.db.backends.sqlite3: greenroom cannot rehearse it."
    )


def test_settings_from_the_environment_and_database_of_the_project(stage: Stage) -> None:
    """Without `database` the project's own entry counts, and must show the lease like any other."""
    address = stage.address
    assert address.password
    stage.write(
        "settings.py",
        SETTINGS + "import os\n"
        'DATABASES["default"].update(HOST=os.environ["H"], PORT=os.environ["P"], NAME=os.environ["N"], '
        'USER=os.environ["U"], PASSWORD=os.environ["W"])',
    )
    variables = {"H": address.host, "P": str(address.port), "N": address.database, "U": address.user}
    variables |= {"W": address.password.reveal(), "DJANGO_SETTINGS_MODULE": "settings"}
    told = stage.rehearse(environment=variables, settings=None, database=None)
    assert (told.code, told.names[-1]) == (0, "done"), told.events[-1]
    told = stage.rehearse(environment={**variables, "N": "postgres"}, settings=None, database=None)
    assert told.one("failed")["during"] == "guard"


def test_server_that_does_not_answer(stage: Stage) -> None:
    assert stage.address.password
    database = {"host": "127.0.0.1", "port": 1, "name": "x", "user": "u", "password": "geheim", "options": {}}
    message = failure(stage, "start", database=database)
    assert message.startswith("OperationalError: connection failed: ") and "geheim" not in message
