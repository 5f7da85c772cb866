"""What the agent does not let the app do: another database, a copy without its lease, a customer's inbox."""

from __future__ import annotations

import threading

import pytest

from tests.integration.agent_stage import Stage, stage

__all__ = ["stage"]


def test_other_alias_is_closed(stage: Stage) -> None:
    stage.python_step("0002_other", 'connections["other"].ensure_connection()')
    told = stage.rehearse(allow_network=True)
    assert told.one("refused")["what"] == "database alias other"
    assert (told.code, told.one("failed")["exception"]) == (1, "Refused")


def test_refusal_says_what_was_closed(stage: Stage) -> None:
    stage.python_step(
        "0002_caught",
        """
        for attempt in range(2):
            try:
                connections["other"].cursor()
            except OSError as error:
                print(error)
        """,
    )
    told = stage.rehearse()
    assert told.code == 0
    assert told.printed == "greenroom closed the database alias other\n" * 2
    assert len(told.all("refused")) == 1


@pytest.mark.parametrize("comment", ["", '{"id": "lease-of-somebody"}', "production, do not touch", "[1]"])
def test_database_without_the_lease_is_refused_before_anything_runs(stage: Stage, comment: str) -> None:
    stage.sql(f"COMMENT ON DATABASE {stage.name} IS '{comment}'")
    stage.sql(f"ALTER DATABASE {stage.name} SET log_statement = 'all'")
    stage.migration("0002_add", 'migrations.AddField("big", "a", models.TextField(null=True))')
    stage.write("shop/apps.py", _READY.format("print('the app was imported')"))
    told = stage.rehearse()
    assert told.code == 1
    assert told.names == ["failed"]
    assert told.one("failed")["during"] == "guard"
    assert told.one("failed")["message"] == (
        f"The database {stage.name} does not bear the lease of this rehearsal, so nothing was run on it."
    )
    assert "imported" not in told.printed


_READY = """
from django.apps import AppConfig
class Shop(AppConfig):
    name = "shop"
    def ready(self):
        {}
"""


def test_lease_that_is_lost_on_the_way_ends_the_run_at_the_next_connection(stage: Stage) -> None:
    stage.python_step(
        "0002_lost",
        f"""
        editor.execute("COMMENT ON DATABASE {stage.name} IS 'mine now'")
        connection.close()
        try:
            editor.execute("ALTER TABLE shop_big ADD a int")
        except BaseException:
            print("the app goes on")
        """,
        atomic=False,
    )
    told = stage.rehearse()
    assert (told.code, told.names[-1], told.events[-1]["during"]) == (1, "failed", "guard")
    assert "goes on" not in told.printed


def test_mail_caches_and_tasks_stay_inside(stage: Stage) -> None:
    stage.python_step(
        "0002_mail",
        """
        from django.core import cache, mail
        assert mail.send_mail("hello", "body", "a@example.com", ["b@example.com"]) in (0, 1)
        cache.cache.set("key", 1)
        print(type(mail.get_connection()).__module__, type(cache.caches["default"]).__name__, cache.cache.get("key"))
        """,
    )
    told = stage.rehearse()
    assert told.code == 0, told.events[-1]
    assert told.printed == "django.core.mail.backends.dummy LocMemCache 1\n"
    assert told.all("refused") == []


def test_role_and_timeouts_are_in_force(stage: Stage) -> None:
    role = 'the "owner" \\ of it'
    quoted = '"' + role.replace('"', '""') + '"'
    stage.sql(f"CREATE ROLE {quoted}")
    try:
        stage.sql(f"ALTER TABLE shop_big OWNER TO {quoted}; ALTER TABLE django_migrations OWNER TO {quoted}")
        stage.sql(f"GRANT ALL ON SCHEMA public TO {quoted}")
        stage.migration("0002_add", 'migrations.AddField("big", "a", models.TextField(null=True))')
        told = stage.rehearse(role=role)
        assert told.code == 0, told.events[-1]
        assert (told.one("ready")["role"], told.one("ready")["lock_timeout"]) == (role, "2s")
    finally:
        stage.sql(f"DROP OWNED BY {quoted} CASCADE; DROP ROLE {quoted}")


def test_connections_of_threads_must_show_the_lease_too(stage: Stage) -> None:
    threads = threading.active_count()
    stage.python_step(
        "0002_thread",
        f"""
        import threading
        editor.execute("COMMENT ON DATABASE {stage.name} IS 'mine now'")
        thread = threading.Thread(target=lambda: connections["default"].ensure_connection())
        thread.start()
        thread.join()
        """,
        atomic=False,
    )
    told = stage.rehearse()
    assert (told.code, told.names[-1], told.events[-1]["during"]) == (1, "failed", "guard")
    assert threading.active_count() == threads
