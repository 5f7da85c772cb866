"""On a server that others use nobody reads a copy before it is masked: while it is made, they are not let in."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from greenroom import config as configuration
from greenroom.console import Display
from greenroom.copies.acquiring import CopyRequest, acquire
from greenroom.postgres import branch
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from greenroom.secret import Secret
from tests.integration.shop import PLANTED, Shop, request, shop

HOWS: list[dict[str, object]] = [{"remote": True}, {"server": "the source's own"}]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SHOP_PASSWORD", PLANTED)


@pytest.fixture
def source(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made


@pytest.fixture
def intern(source: Shop) -> Iterator[Address]:
    """A further role that may read the goods, and with PUBLIC connect to whatever lets PUBLIC in."""
    role = f"intern{secrets.token_hex(2)}"
    with connect(source.admin) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PLANTED}'".encode())
        admin.execute(f"GRANT SELECT ON goods TO {role}".encode())
        admin.execute(f'GRANT "{source.odd}" TO {source.owner}'.encode())  # so that privileges come with the copy
    yield source.admin.as_role(role, Secret(PLANTED))
    with connect(source.admin) as admin:
        admin.execute(f"DROP OWNED BY {role}".encode())
        admin.execute(f"DROP ROLE {role}".encode())


class Peeking(Display):
    """At each phase somebody tries to get in; `seen` are the rows that were read, `refused` the phases."""

    def __init__(self, server: Server, database: str, peek: Callable[[str], list[tuple[str]]]) -> None:
        self._server, self._database, self._peek = server, database, peek
        self.seen: list[tuple[str]] = []
        self.refused: list[str] = []

    def step(self, text: str) -> None:
        with connect(self._server.address) as connection:
            pattern = f"{self._database}\\_\\_%"
            copies = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [pattern]).fetchall()
        for (name,) in copies:
            try:
                self.seen += self._peek(name)
            except psycopg.OperationalError:
                self.refused.append(text)


def wanted(source: Shop, how: dict[str, object], **more: object) -> CopyRequest:
    address = source.address
    table = {"host": address.host, "port": address.port, "name": address.database, "user": address.user}
    table |= {"password_variable": "SHOP_PASSWORD", **more}
    config = configuration.parse({"databases": {"staging": table}, "snapshots": {"limit_gb": 0}}, Path.cwd())
    given = {name: source.url(source.admin) if name == "server" else value for name, value in how.items()}
    return CopyRequest(config=config, project=config.project, target="staging", branch="fix_it", **given)  # type: ignore[arg-type]


def names(address: Address) -> list[tuple[str]]:
    with psycopg.connect(**address.parameters) as connection:
        return connection.execute("SELECT name FROM goods WHERE name LIKE 'thing %' LIMIT 1").fetchall()


@pytest.mark.parametrize("how", HOWS, ids=["remote", "server"])
def test_nobody_else_is_let_in_before_the_rows_are_masked(
    source: Shop, intern: Address, how: dict[str, object]
) -> None:
    peeking = Peeking(source.server, source.address.database, lambda name: names(intern.at(name)))
    with acquire(wanted(source, how, masks={"goods.name": "text"}), peeking) as copy:
        assert peeking.seen == [] and "masking" in peeking.refused
        with psycopg.connect(**intern.at(copy.name).parameters) as later:  # as the source lets everybody in
            assert later.execute("SELECT count(*) FROM goods WHERE name LIKE 'thing %'").fetchone() == (0,)


@pytest.mark.parametrize("how", HOWS, ids=["remote", "server"])
def test_nobody_looks_into_a_copy_that_is_being_made(source: Shop, intern: Address, how: dict[str, object]) -> None:
    """Masked or not."""
    peeking = Peeking(source.server, source.address.database, lambda name: names(intern.at(name)))
    with acquire(wanted(source, how), peeking) as copy:
        assert peeking.seen == [] and "vacuum and analyse" in peeking.refused
        assert names(intern.at(copy.name)) == names(intern)


@pytest.mark.parametrize("how", [*HOWS, {"remote": True, "template": True}], ids=["remote", "server", "template"])
@pytest.mark.parametrize("closed", [False, True])
def test_privileges_of_the_source_hold_in_the_end(
    source: Shop, intern: Address, how: dict[str, object], closed: bool
) -> None:
    with connect(source.admin) as admin:
        name = source.address.database
        if closed:
            admin.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC".encode())
        before = effective(admin, intern.user, source.reader)
    with acquire(wanted(source, how), Display()) as copy, connect(copy.admin) as admin:
        assert effective(admin, intern.user, source.reader) == before
    assert before[0] == ((not closed,) * 2 + (False,))


def test_privileges_that_nobody_ever_changed_hold_in_the_end(source: Shop, intern: Address) -> None:
    with connect(source.admin) as admin:
        admin.execute(f"REVOKE CONNECT ON DATABASE {source.address.database} FROM {source.reader}".encode())
        admin.execute("UPDATE pg_database SET datacl = NULL WHERE datname = current_database()")
        before = effective(admin, intern.user)
    with acquire(request(url=source.url()), Display()) as copy, connect(copy.admin) as admin:
        assert effective(admin, intern.user) == before == [(True, True, False)]


def effective(connection: psycopg.Connection, *roles: str) -> list[tuple[bool, ...]]:
    words = "SELECT " + ", ".join(
        f"has_database_privilege(r, current_database(), '{kind}')" for kind in ("CONNECT", "TEMPORARY", "CREATE")
    )
    return connection.execute(f"{words} FROM unnest(%s::text[]) AS r".encode(), [list(roles)]).fetchall()


def test_nobody_is_let_in_between_its_making_and_its_closing(
    source: Shop, intern: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty database that is open for a moment would keep whoever came in: at its first moment it lets nobody in."""
    refused: list[str] = []
    close = branch.close

    def tried(connection: psycopg.Connection, name: str) -> None:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(**intern.at(name).parameters)
        refused.append(name)
        close(connection, name)

    monkeypatch.setattr(branch, "close", tried)
    with acquire(wanted(source, {"remote": True}), Display()) as copy:
        assert refused == [copy.name]
