"""What leads out of a copy that came whole is taken away before anything runs on it."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from greenroom import config as configuration
from greenroom.console import Silent
from greenroom.copies.acquiring import CopyRequest, acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import receiving
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.server import connect
from greenroom.secret import Secret
from tests.integration.sources import state

__all__ = ["state"]
pytestmark = pytest.mark.full

PASSWORD = "pl4nted-s3cret"
MAPPED = """
CREATE EXTENSION postgres_fdw;
CREATE SERVER billing FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid');
CREATE USER MAPPING FOR PUBLIC SERVER billing OPTIONS (user 'x', password 'x');
CREATE FOREIGN TABLE bill (id int) SERVER billing;
CREATE TABLE person (id int, name text);
CREATE FUNCTION write_bill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO bill VALUES (1); RETURN NEW; END';
CREATE TRIGGER bills AFTER UPDATE ON person FOR EACH ROW EXECUTE FUNCTION write_bill();
INSERT INTO person VALUES (1, 'Ann');
"""

WATCHED = """
CREATE EXTENSION postgres_fdw;
CREATE SERVER journal FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{host}', port '{port}', dbname 'postgres');
CREATE USER MAPPING FOR PUBLIC SERVER journal OPTIONS (user '{user}', password '{password}');
CREATE FOREIGN TABLE changed (tag text) SERVER journal;
CREATE FUNCTION note_change() RETURNS event_trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.changed VALUES (tg_tag); END';
CREATE EVENT TRIGGER changes ON ddl_command_start EXECUTE FUNCTION note_change();
"""


@dataclass(frozen=True)
class Lab:
    """A source, and a command that copies it and hands out a URL of its owner or of the superuser."""

    place: Path
    server: Server
    source: Address
    owner: Address

    def request(self, *, superuser: bool = True, then: str = "", **table: object) -> CopyRequest:
        """`then` is SQL that is run in the copy by the superuser before it is handed out."""
        boss, user = self.server.address, self.server.address if superuser else self.owner
        assert boss.password and user.password
        url = f"postgresql://{user.user}:{user.password.reveal()}@{user.host}:{user.port}"
        exports = "".join(f"export {name}='{value}'\n" for name, value in boss.environment.items())
        owner = f'OWNER "{self.owner.user}"'
        makes = f'psql -qX -c "CREATE DATABASE \\"$1\\" TEMPLATE \\"{self.source.database}\\" {owner}"\n'
        (self.place / "then.sql").write_text(then)
        makes += f'psql -qX -v ON_ERROR_STOP=1 -d "$1" -f {self.place}/then.sql >&2\necho "{url}/$1"\n'
        ends = f'psql -qX -d "$1" -f {self.place}/end.sql >&2\npsql -qX -c "DROP DATABASE IF EXISTS \\"$1\\""\n'
        for name, text in (("acquire", makes), ("release", ends)):
            script = self.place / name
            script.write_text(f"#!/bin/sh -eu\nexport PATH='{self.server.binaries.directory}':$PATH\n{exports}{text}")
            script.chmod(0o755)
        lab = {"kind": "command", "acquire": [str(self.place / "acquire"), "{name}"], **table}
        lab["release"] = [str(self.place / "release"), "{name}"]
        config = configuration.parse({"databases": {"lab": lab}}, self.place)
        return CopyRequest(config=config, project=config.project, target="lab", branch="fix_it")

    def databases(self) -> list[str]:
        with connect(self.server.address) as admin:
            rows = admin.execute("SELECT datname FROM pg_database WHERE datname LIKE 'lab%%' ORDER BY 1", [])
            return [name for (name,) in rows]


@pytest.fixture
def lab(tmp_path: Path, server15: Server) -> Iterator[Lab]:
    """On the system's PostgreSQL, which has postgres_fdw."""
    yield from lab_on(server15, tmp_path)


def lab_on(server: Server, place: Path) -> Iterator[Lab]:
    name, role = f"source{secrets.token_hex(3)}", f"owner{secrets.token_hex(3)}"
    with connect(server.address) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'".encode())
        admin.execute(f"CREATE DATABASE {name} OWNER {role}".encode())
        try:
            source = server.address.at(name)
            (place / "end.sql").write_text("SELECT 1")
            yield Lab(place, server, source, source.as_role(role, Secret(PASSWORD)))
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
            admin.execute(f"DROP ROLE {role}".encode())


def run(address: Address, script: str) -> None:
    with connect(address) as connection:
        connection.execute(script.encode())


def test_clone_reaches_no_foreign_server(lab: Lab) -> None:
    run(lab.source, MAPPED)
    with acquire(lab.request(masks={"person.name": "name"}), Silent()) as copy, connect(copy.admin) as connection:
        assert connection.execute("SELECT count(*) FROM pg_user_mappings").fetchone() == (0,)
        with pytest.raises(psycopg.errors.UndefinedObject, match="user mapping not found"):
            connection.execute("UPDATE person SET id = id")
        told = "user mappings for the foreign server billing, so that the copy reads and writes nothing there"
        assert f"not copied: {told}" in copy.notes
    with connect(lab.source) as connection:
        assert connection.execute("SELECT count(*) FROM pg_user_mappings").fetchone() == (1,), "the source has its own"


def test_what_runs_with_each_command_does_not_run_when_it_is_cut_off(lab: Lab) -> None:
    """It would run while the way out is still there."""
    far = lab.server.address.at("postgres")
    run(far, "CREATE TABLE changed (tag text)")
    assert far.password
    words = {"host": far.host, "port": far.port, "user": far.user, "password": far.password.reveal()}
    try:
        run(lab.source, WATCHED.format(**words))
        with acquire(lab.request(), Silent()), connect(far) as there:
            assert there.execute("SELECT tag FROM changed").fetchall() == []
    finally:
        run(far, "DROP TABLE changed")


def test_clone_that_cannot_be_cut_off_is_ended(lab: Lab) -> None:
    run(lab.source, MAPPED)
    with pytest.raises(GreenroomError) as caught, acquire(lab.request(superuser=False), Silent()):
        raise AssertionError("a copy that reaches others")
    assert caught.value.sentence == (
        f"{lab.owner.user} cannot drop the user mapping of public for the foreign server billing in the copy "
        "(SQLSTATE 42501), and what runs there would reach that server."
    )
    assert caught.value.hint and "docs/engines.md" in caught.value.hint
    assert lab.databases() == []


def test_owner_of_the_foreign_server_cuts_it_off(lab: Lab) -> None:
    run(lab.source, MAPPED)
    with connect(lab.source) as connection:
        connection.execute(f"GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO {lab.owner.user}".encode())
        connection.execute(f"ALTER SERVER billing OWNER TO {lab.owner.user}".encode())
    with acquire(lab.request(superuser=False), Silent()) as copy, connect(copy.admin) as connection:
        assert connection.execute("SELECT count(*) FROM pg_user_mappings").fetchone() == (0,)


def test_workers_of_extensions_are_told(lab: Lab) -> None:
    """Played by settings that such a library would define."""
    settings = ("cron.database_name", "pglogical.conflict_resolution")
    words = "".join(f"ALTER DATABASE :\"DBNAME\" SET {name} = 'x';\n" for name in settings)
    what = "where all of it was copied, they do there what they do for the source"
    note = f"loaded on the copy's server: pg_cron, pglogical; {what}: docs/engines.md"
    with acquire(lab.request(then=words), Silent()) as copy:
        assert note in copy.notes
    with acquire(lab.request(), Silent()) as copy:
        assert "pg_cron" not in " ".join(copy.notes)


SUBSCRIBED = """
CREATE SUBSCRIPTION theirs CONNECTION '{conninfo}' PUBLICATION sold
    WITH (connect = false, create_slot = false, slot_name = 'theirs');
ALTER SUBSCRIPTION theirs ENABLE;
ALTER SUBSCRIPTION theirs REFRESH PUBLICATION WITH (copy_data = false);
SELECT pg_sleep(2);
"""
ENDING = "ALTER SUBSCRIPTION theirs DISABLE; ALTER SUBSCRIPTION theirs SET (slot_name = NONE); DROP SUBSCRIPTION theirs"
SLOT = "SELECT active, confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = 'theirs'"


@pytest.fixture(params=[15, 18])
def publishing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """Its source publishes what is sold; a slot holds that back for the real subscriber."""
    settings = {"wal_level": "logical", "max_wal_senders": "4", "max_replication_slots": "4"}
    with embedded(binaries=of_major(request.param), settings=settings) as server:
        server.durable({})
        for lab in lab_on(server, tmp_path):
            words = "CREATE TABLE sold (id int); CREATE PUBLICATION sold FOR TABLE sold;"
            run(lab.source, words + f"ALTER TABLE sold OWNER TO {lab.owner.user}")
            run(lab.source, "SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')")
            (tmp_path / "end.sql").write_text(ENDING)
            yield lab
            run(lab.source, "SELECT pg_drop_replication_slot('theirs')")


def subscribed(lab: Lab) -> str:
    assert lab.server.address.password
    words = {"host": lab.source.host, "port": lab.source.port, "dbname": lab.source.database, "user": lab.source.user}
    words["password"] = lab.server.address.password.reveal()
    return SUBSCRIBED.format(conninfo=" ".join(f"{key}={value}" for key, value in words.items()))


def test_clone_takes_nothing_from_the_sources_slot(publishing: Lab) -> None:
    with (
        acquire(publishing.request(then=subscribed(publishing)), Silent()) as copy,
        connect(copy.admin) as connection,
        connect(publishing.source) as source,
    ):
        (name,) = [name for name in publishing.databases() if name.startswith("lab")]
        stood = source.execute(SLOT).fetchone()
        assert stood and stood[0] is False, "no worker of the copy is connected any more"
        source.execute("INSERT INTO sold VALUES (1)")
        time.sleep(2)
        assert source.execute(SLOT).fetchone() == stood
        assert connection.execute("SELECT count(*) FROM sold").fetchone() == (0,)
        assert connection.execute("SELECT subenabled, subslotname FROM pg_subscription").fetchone() == (False, None)
        assert f"stopped in the copy: the subscription theirs of {name}, so that it receives nothing" in copy.notes
        received = f"the copy may have received what the subscription theirs of {name} should bring the source"
        assert f"until it was stopped {received}: docs/engines.md" in copy.notes


def test_clone_whose_subscription_cannot_be_stopped_is_ended(publishing: Lab) -> None:
    asked = publishing.request(superuser=False, then=subscribed(publishing))
    with pytest.raises(GreenroomError) as caught, acquire(asked, Silent()):
        raise AssertionError("a copy that receives")
    assert re.fullmatch(
        rf"{publishing.owner.user} cannot stop the subscription theirs of lab\w+ in the copy \(SQLSTATE 42501\), which "
        "would take what the source is waiting for.",
        caught.value.sentence,
    )
    assert publishing.databases() == []


def test_other_databases_of_a_whole_server_are_stopped_too(publishing: Lab) -> None:
    """Of a server that others share they are theirs."""
    server, source = publishing.server.address, publishing.source
    run(server, "CREATE DATABASE other")
    run(server.at("other"), subscribed(publishing).partition("ALTER SUBSCRIPTION theirs REFRESH")[0])
    named = "the subscription theirs of other"
    (note,) = receiving.stop_subscriptions(source, "", whole_server=False)
    assert note == f"not stopped: {named}; if that database is of the copy too, it receives in the source's place"
    assert receiving.stop_subscriptions(source, "", whole_server=True)[0] == (
        f"stopped in the copy: {named}, so that it receives nothing"
    )
    assert receiving.stop_subscriptions(source, "", whole_server=True) == []
    run(server.at("other"), "DROP SUBSCRIPTION theirs")
    run(server, "DROP DATABASE other WITH (FORCE)")
