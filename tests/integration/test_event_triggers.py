"""Event triggers of the source do not keep a copy from being made, and are on it as they are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import event_triggers, kept, masking, outside, receiving
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import CannotConnect, connect, with_options
from tests.integration.masked_people import PLANTED, admin, admin18, failed, mask, one, owner
from tests.integration.shop import ROWS, Shop, request, shop

__all__ = ["admin", "admin18", "owner"]

FORBIDDING = """
CREATE FUNCTION public."Forbid it"() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no %', tg_tag; END$$;
CREATE EVENT TRIGGER ordinary ON ddl_command_start EXECUTE FUNCTION public."Forbid it"();
CREATE EVENT TRIGGER "Always on" ON ddl_command_start EXECUTE FUNCTION public."Forbid it"();
CREATE EVENT TRIGGER replicating ON ddl_command_start EXECUTE FUNCTION public."Forbid it"();
CREATE EVENT TRIGGER sleeping ON ddl_command_start EXECUTE FUNCTION public."Forbid it"();
ALTER EVENT TRIGGER "Always on" ENABLE ALWAYS; ALTER EVENT TRIGGER replicating ENABLE REPLICA;
ALTER EVENT TRIGGER sleeping DISABLE;
"""
STATES = "SELECT json_object_agg(evtname, evtenabled ORDER BY evtname)::text FROM pg_event_trigger"
PEOPLE = """
CREATE TABLE person (name text); ALTER TABLE person FORCE ROW LEVEL SECURITY; INSERT INTO person VALUES ('Ann');
CREATE MATERIALIZED VIEW named AS SELECT name FROM person;
"""
KEEPING_OUT = """
CREATE FUNCTION public.keep_out() RETURNS event_trigger LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO public.logins VALUES (session_user); IF session_user {whom} THEN RAISE 'no'; END IF; END$$;
CREATE TABLE logins (who text); GRANT ALL ON logins TO PUBLIC;
CREATE EVENT TRIGGER at_login ON login EXECUTE FUNCTION keep_out(); ALTER EVENT TRIGGER at_login ENABLE ALWAYS;
"""


def test_masks_are_laid_where_event_triggers_forbid_it(admin: psycopg.Connection) -> None:
    """As on a copy that came whole."""
    admin.execute(PEOPLE)
    admin.execute(FORBIDDING)
    before = one(admin, STATES)
    assert mask(admin, {"person.name": "name"})[1:] == ["filled anew from the masked rows: public.named"]
    assert one(admin, STATES) == before
    with pytest.raises(psycopg.errors.RaiseException):
        admin.execute("CREATE TABLE other ()")


@pytest.fixture
def free(admin18: psycopg.Connection) -> psycopg.Connection:
    """A superuser that they do not concern."""
    admin18.execute("SET event_triggers = off")
    return admin18


def test_masks_of_a_role_that_may_not_stop_one_name_it(free: psycopg.Connection, owner: Address) -> None:
    with connect(owner) as mine:
        mine.execute(PEOPLE)
        free.execute(FORBIDDING)
        with pytest.raises(GreenroomError) as caught:
            masking.apply(mine, masking.rules({"person.name": "name"}, "staging"))
    assert caught.value.sentence == (
        "public.person cannot be masked: the event trigger Always on forbids it (SQLSTATE P0001)."
    )
    assert caught.value.hint == (
        f'Connect as a superuser, or have "Forbid it"() let {owner.user} pass; on the copy: '
        'ALTER EVENT TRIGGER "Always on" DISABLE.'
    )


@pytest.mark.parametrize(("end", "name"), [("it", "habit"), ('"It"', '"some ""It"')])
def test_one_is_blamed_by_the_whole_name_of_its_function(free: psycopg.Connection, end: str, name: str) -> None:
    """And not the one before it, whose function's name is the end of that."""
    for called, trigger, does in [(end, "Early", ""), (name, "Late", "RAISE 'no';")]:
        words = f"RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN {does} END$$"
        free.execute(f"CREATE FUNCTION public.{called}() {words}".encode())
        free.execute(f'CREATE EVENT TRIGGER "{trigger}" ON sql_drop EXECUTE FUNCTION public.{called}()'.encode())
    free.execute("CREATE TABLE other (); SET event_triggers = on")
    with pytest.raises(psycopg.errors.RaiseException) as caught:
        free.execute("DROP TABLE other")
    free.execute("SET event_triggers = off")
    found = event_triggers.blamed(free, caught.value)
    assert found and found[0] == "the event trigger Late forbids it (SQLSTATE P0001)"
    assert f"have {name}() let " in found[1] and 'ALTER EVENT TRIGGER "Late" DISABLE' in found[1]


def test_none_is_blamed_for_what_another_function_raises(free: psycopg.Connection) -> None:
    free.execute("CREATE FUNCTION it() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'")
    free.execute("CREATE EVENT TRIGGER early ON sql_drop EXECUTE FUNCTION it()")
    with pytest.raises(psycopg.errors.RaiseException) as caught:
        free.execute(
            "CREATE FUNCTION habit() RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$; SELECT habit()"
        )
    assert event_triggers.blamed(free, caught.value) is None


def test_view_that_one_keeps_from_being_emptied_names_it(free: psycopg.Connection, owner: Address) -> None:
    with connect(owner) as mine:
        mine.execute(PEOPLE + "ALTER TABLE person NO FORCE ROW LEVEL SECURITY")
        free.execute(FORBIDDING)
        assert failed(mine, {"person.name": "name"}) == (
            "the materialised view public.named on the copy, which may show what is masked, cannot be emptied: "
            "the event trigger Always on forbids it (SQLSTATE P0001)."
        )


def test_mapping_that_one_keeps_from_being_dropped_names_it(free: psycopg.Connection, owner: Address) -> None:
    free.execute("CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw")
    free.execute(f"GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO {owner.user}".encode())
    free.execute(f"ALTER SERVER far OWNER TO {owner.user}; CREATE USER MAPPING FOR PUBLIC SERVER far".encode())
    free.execute(FORBIDDING)
    with connect(owner) as mine, pytest.raises(GreenroomError) as caught:
        outside.drop_mappings(mine, "the copy", "docs")
    assert caught.value.sentence == (
        "the user mapping of public for the foreign server far in the copy cannot be dropped: the event trigger "
        "Always on forbids it (SQLSTATE P0001), and what runs there would reach that server."
    )
    free.execute("SET event_triggers = on")
    assert outside.drop_mappings(free, "the copy", "docs") == ["far"]
    free.execute("SET event_triggers = off")


def test_subscription_that_one_keeps_from_being_stopped_names_it(free: psycopg.Connection, owner: Address) -> None:
    how = f"CONNECTION 'host=nowhere.invalid password={PLANTED}' PUBLICATION x"
    free.execute(f"CREATE SUBSCRIPTION theirs {how} WITH (connect = false, slot_name = 'x')".encode())
    free.execute(f"GRANT CREATE ON DATABASE {owner.database} TO {owner.user}".encode())
    free.execute(f"GRANT pg_create_subscription TO {owner.user}".encode())
    free.execute(f"ALTER SUBSCRIPTION theirs OWNER TO {owner.user}".encode())
    free.execute(FORBIDDING)
    try:
        with pytest.raises(GreenroomError) as caught:
            receiving.stop_subscriptions(owner, "docs", whole_server=False)
        assert caught.value.sentence == (
            f"the subscription theirs of {owner.database} in the copy cannot be stopped, which would take what the "
            "source is waiting for: the event trigger Always on forbids it (SQLSTATE P0001)."
        )
    finally:
        free.execute("ALTER SUBSCRIPTION theirs SET (slot_name = NONE)")
        free.execute("DROP SUBSCRIPTION theirs")


def forbidding(shop: Shop) -> None:
    with connect(shop.admin) as boss:
        boss.execute("CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM goods")
        boss.execute(FORBIDDING)


def test_dump_copy_is_whole_and_its_migration_meets_them(server: Server, tmp_path: Path) -> None:
    with shop(server) as source:
        forbidding(source)
        with connect(source.admin) as boss:
            before = one(boss, STATES)
        with acquire(request(dump=source.dump(tmp_path / "shop.dump")), Silent()) as copy:
            with connect(copy.admin) as boss:
                assert one(boss, "SELECT n FROM counted") == ROWS and one(boss, STATES) == before
            with connect(copy.address) as migrating, pytest.raises(psycopg.errors.RaiseException):
                migrating.execute("CREATE TABLE other ()")
    assert not [note for note in copy.notes if note.startswith("not filled")]


def test_superuser_that_migrates_meets_them_too(server18: Server, tmp_path: Path) -> None:
    with shop(server18) as source:
        with connect(source.admin) as boss:
            boss.execute("ALTER TABLE django_migrations OWNER TO CURRENT_USER")
        forbidding(source)
        with (
            acquire(request(dump=source.dump(tmp_path / "shop.dump")), Silent()) as copy,
            connect(copy.address) as migrating,
        ):
            assert migrating.info.user == source.admin.user
            with pytest.raises(psycopg.errors.RaiseException):
                migrating.execute("CREATE TABLE other ()")


def test_superuser_that_works_with_a_kept_copy_meets_them_too(
    server18: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its app is told no more than a host, a port, a database, a role and a password."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with shop(server18) as source:
        with connect(source.admin) as boss:
            boss.execute("ALTER TABLE django_migrations OWNER TO CURRENT_USER")
        forbidding(source)
        asked = replace(request(dump=source.dump(tmp_path / "shop.dump")), keep=True)
        with acquire(asked, Silent()) as copy:
            pass
    try:
        with connect(replace(copy.address, options={})) as working, pytest.raises(psycopg.errors.RaiseException):
            working.execute("CREATE TABLE other ()")
    finally:
        for record in kept.records():
            kept.drop(record)


def with_login_trigger(source: Shop, whom: str) -> Shop:
    """The source as its superuser sees it whom no event trigger concerns."""
    with connect(source.admin) as boss:
        boss.execute(KEEPING_OUT.format(whom=whom).encode())
    free = with_options(source.server.address, "-c event_triggers=off")
    return replace(source, server=replace(source.server, address=free))


def test_login_trigger_concerns_the_app_and_not_us(server18: Server, tmp_path: Path) -> None:
    """It lets nobody in but the app, and writes: what is ours must not change what drills compare."""
    with shop(server18) as made:
        source = with_login_trigger(made, f"<> '{made.owner}'")
        with acquire(request(dump=source.dump(tmp_path / "shop.dump")), Silent()) as copy:
            with connect(copy.admin) as boss:
                assert one(boss, "SELECT array_agg(DISTINCT who) FROM logins") == [made.owner]
                before = one(boss, "SELECT count(*) FROM logins")
            with connect(copy.address), connect(copy.admin) as boss:
                assert one(boss, "SELECT count(*) FROM logins") == int(str(before)) + 1


def test_login_trigger_that_keeps_the_app_out_is_told(server18: Server, tmp_path: Path) -> None:
    with shop(server18) as made:
        source = with_login_trigger(made, f"= '{made.owner}'")
        archive = source.dump(tmp_path / "shop.dump")
        with pytest.raises(CannotConnect) as caught, acquire(request(dump=archive), Silent()):
            pass
        why = f"refuses {made.owner}: keep_out(), which an event trigger calls at each login to "
        assert why in caught.value.sentence and caught.value.sentence.endswith(", fails (SQLSTATE P0001).")
        assert caught.value.hint == (
            f"Have it let {made.owner} in from here; on the source, where this is a copy. A superuser's URL may end in "
            "?options=-c%20event_triggers%3Doff."
        )


def test_login_trigger_of_a_source_that_writes_is_told(server18: Server) -> None:
    with shop(server18) as made:
        with_login_trigger(made, "= 'nobody'")
        with pytest.raises(CannotConnect) as caught, acquire(request(url=made.url()), Silent()):
            pass
        assert caught.value.sentence == (
            f"{made.address.server} refuses {made.owner}: keep_out(), which an event trigger calls at each login to "
            f"{made.address.database}, fails (SQLSTATE 25006)."
        )
        assert caught.value.hint and caught.value.hint.startswith("A source is only read: have it write nothing where ")
        logins = one_of(made, "SELECT count(*) FROM logins")
        assert logins == 0, "nor is it written to by another attempt"


def one_of(source: Shop, query: str) -> object:
    with connect(with_options(source.admin, "-c event_triggers=off")) as boss:
        return one(boss, query)


def test_event_triggers_off_leaves_those_of_others_alone(admin: psycopg.Connection) -> None:
    admin.execute(FORBIDDING)
    before = one(admin, STATES)
    with event_triggers.off(admin):
        admin.execute("CREATE TABLE other ()")
    assert one(admin, STATES) == before
    with pytest.raises(psycopg.errors.RaiseException):
        admin.execute("DROP TABLE other")
