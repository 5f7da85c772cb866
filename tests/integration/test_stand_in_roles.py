"""Stand-ins for roles that a given server lacks: copies share them, and the last that goes takes them away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from greenroom.console import Display, Silent
from greenroom.copies.acquiring import Acquired, CopyRequest, acquire
from greenroom.copies.cloning import cloned
from greenroom.errors import GreenroomError
from greenroom.postgres import branch, journal, roles
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.leftovers import standing_on
from greenroom.postgres.server import connect
from greenroom.postgres.way import Way
from greenroom.secret import Secret
from tests.integration.shop import ROWS, request, shop
from tests.integration.sources import state

__all__ = ["state"]


@dataclass
class Given:
    """A server, a dump whose roles it has not, and what it had before."""

    server: Server
    dump: Path
    before: set[str]
    address: Address

    @property
    def wanted(self) -> CopyRequest:
        address = self.address
        assert address.password
        where = f"postgresql://{address.user}:{address.password.reveal()}@{address.host}:{address.port}/postgres"
        return request(dump=self.dump, server=where)

    @property
    def roles(self) -> set[str]:
        with connect(self.server.address) as admin:
            return roles.existing(admin)

    def works(self, copy: Acquired) -> None:
        """What belongs to a stand-in, and what one may do, is there."""
        with connect(copy.admin) as connection:
            owner, readers = connection.execute(
                "SELECT pg_get_userbyid(relowner), relacl::text FROM pg_class WHERE relname = 'goods'"
            ).fetchone() or ("", "")
            assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
        assert {owner} < self.roles - self.before and "reader" in readers


@pytest.fixture
def given(server: Server, tmp_path: Path) -> Iterator[Given]:
    with shop(server) as made:
        dump = made.dump(tmp_path / "shop.dump")
    with connect(server.address) as admin:
        yield Given(server, dump, roles.existing(admin), server.address)


@pytest.fixture(params=["superuser", "ordinary role"])
def whose(request: pytest.FixtureRequest, given: Given) -> Iterator[Given]:
    """Copies of the superuser's, or of a role that may make databases and roles."""
    if request.param == "superuser":
        yield given
        return
    with connect(given.server.address) as admin:
        admin.execute("CREATE ROLE made_it LOGIN CREATEDB CREATEROLE PASSWORD 'its-s3cret'")
        yield replace(
            given, before={*given.before, "made_it"}, address=given.address.as_role("made_it", Secret("its-s3cret"))
        )
        admin.execute("DROP ROLE made_it")


@pytest.mark.parametrize("first", [0, 1])
def test_two_copies_share_them_and_the_last_drops_them(whose: Given, first: int) -> None:
    stacks = [ExitStack(), ExitStack()]
    copies = [stack.enter_context(acquire(whose.wanted, Silent())) for stack in stacks]
    with stacks[1 - first]:
        stacks[first].close()
        whose.works(copies[1 - first])
    assert whose.roles == whose.before and [copy.dropped for copy in copies] == [True, True]


class Meanwhile(Display):
    """Does something when a step begins."""

    def __init__(self, step: str, do: Callable[[], None]) -> None:
        self._step, self._do = step, do

    def step(self, text: str) -> None:
        if text.startswith(self._step):
            self._do()


def test_copy_that_ends_leaves_them_to_one_that_has_nothing_of_theirs_yet(whose: Given) -> None:
    other = ExitStack()
    other.enter_context(acquire(whose.wanted, Silent()))
    with acquire(whose.wanted, Meanwhile("restoring", other.close)) as copy:
        whose.works(copy)
    assert whose.roles == whose.before


def test_one_round_of_dropping_is_enough_with_a_clone_of_an_experiment(given: Given) -> None:
    """As after a kill: the copy is older than its clone, and what the clone has of the roles is dropped last."""
    with acquire(given.wanted, Silent()) as copy, cloned(copy, given.wanted):
        standing = standing_on(Way(given.server.address))
        assert len(standing) == 2
        for remains in standing:
            remains.drop()
        assert given.roles == given.before


def test_they_go_though_somebody_has_dropped_the_copy(given: Given) -> None:
    with acquire(given.wanted, Silent()) as copy:
        with connect(given.server.address) as admin:
            admin.execute(f'DROP DATABASE "{copy.name}"'.encode())
        (remains,) = standing_on(Way(given.server.address))
        assert remains.state == "gone"
        remains.drop()
        assert given.roles == given.before and journal.intents() == []


def test_servers_own_role_of_the_same_name_stays(given: Given) -> None:
    """Also one that is made while a copy with stand-ins is restored."""
    with acquire(given.wanted, Silent()):
        (reader,) = {name for name in given.roles - given.before if name.startswith("reader")}
    with connect(given.server.address) as admin:
        admin.execute(f"CREATE ROLE {reader}".encode())
        with acquire(given.wanted, Silent()) as copy:
            given.works(copy)
        assert given.roles == {*given.before, reader}
        admin.execute(f"DROP ROLE {reader}".encode())


def test_many_that_come_and_go_leave_none(given: Given) -> None:
    names = [f"stand in {number}" for number in range(3)]
    failed: list[BaseException] = []

    def come_and_go(number: int) -> None:
        try:
            with connect(given.server.address) as connection:
                for _ in range(5):
                    connection.execute(f"CREATE DATABASE holder{number}".encode())
                    assert roles.make_stubs(connection, names, f"holder{number}") == names
                    connection.execute(f"DROP DATABASE holder{number}".encode())
                    roles.drop_stubs(connection, names)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=come_and_go, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and given.roles == given.before


@pytest.fixture
def makers(given: Given) -> Iterator[list[Address]]:
    """Two roles that may make databases and roles, and are no superusers."""
    names = ["maker one", "maker two"]
    with connect(given.server.address) as admin:
        for name in names:
            admin.execute(f"CREATE ROLE \"{name}\" LOGIN CREATEDB CREATEROLE PASSWORD 'its-s3cret'".encode())
        yield [given.address.as_role(name, Secret("its-s3cret")) for name in names]
        for name in names:
            admin.execute(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"'.encode())


def test_migration_under_way_is_not_waited_for(given: Given) -> None:
    """It has made something for a stand-in, and is not at its end: DROP ROLE would wait for that."""
    with connect(given.server.address) as admin, connect(given.server.address) as migrating:
        admin.execute("CREATE DATABASE holder")
        assert roles.make_stubs(admin, ["stand in"], "holder") == ["stand in"]
        with migrating.transaction(force_rollback=True):
            migrating.execute('CREATE TABLE new (); ALTER TABLE new OWNER TO "stand in"')
            roles.drop_stubs(admin, ["stand in"])
            assert "stand in" in given.roles
            admin.execute("DROP DATABASE holder")
            roles.drop_stubs(admin, ["stand in"])
            assert "stand in" in given.roles, "given up after a short while"
        roles.drop_stubs(admin, ["stand in"])
    assert given.roles == given.before


def test_those_that_another_role_has_made_are_shared(given: Given, makers: list[Address]) -> None:
    """Whoever may not become one of them restores without owners, and is told what to ask for."""
    before = given.roles
    with connect(makers[0]) as first, connect(makers[1]) as second:
        for number, connection in enumerate((first, second)):
            connection.execute(f"CREATE DATABASE holder{number}".encode())
        assert roles.make_stubs(first, ["stand in"], "holder0") == ["stand in"]
        assert roles.make_stubs(second, ["stand in"], "holder1") == ["stand in"]
        assert roles.needed_to_own(first, {"stand in"}) == []
        new = second.info.server_version >= 160000
        assert roles.needed_to_own(second, {"stand in"}) == (['GRANT "stand in" TO "maker two"'] if new else [])
        second.execute("DROP DATABASE holder1")
        roles.drop_stubs(second, ["stand in"])
        assert "stand in" in given.roles
        first.execute("DROP DATABASE holder0")
        roles.drop_stubs(first, ["stand in"])
    assert given.roles == before


def test_role_that_its_maker_may_not_become_is_asked_for(given: Given, makers: list[Address]) -> None:
    """From 16 on who makes one is a member that may not act as it: so are the master users of managed servers."""
    with connect(makers[0]) as maker:
        maker.execute("CREATE ROLE app")
        maker.execute("CREATE DATABASE holder")
        try:
            assert roles.needed_to_own(maker, {"app"}) == ['GRANT "app" TO "maker one"']
            with pytest.raises(GreenroomError, match=r"^maker one may not create a database on "):
                branch.give(maker, "holder", "app")
        finally:
            maker.execute("DROP DATABASE holder")
            maker.execute("DROP ROLE app")
