"""Statements that an error tells somebody to say can be typed as they are printed, whatever the names."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest
from psycopg import sql

from greenroom.copies.clones import _LET_IT_DROP, _LET_IT_STOP, _grant
from greenroom.copies.strangers import _refuse_marked
from greenroom.errors import GreenroomError
from greenroom.postgres import branch, outside, readable, receiving
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import connect
from greenroom.secret import Secret

PASSWORD = "pl4nted-s3cret"


@pytest.fixture
def odd(server18: Server) -> Iterator[Address]:
    """An ordinary role in a database that is another's, all with capitals, blanks and quotes in their names."""
    tag = secrets.token_hex(3)
    names = [f'An "odd" {what} {tag}' for what in ("role", "Owner", "Database")]
    role, owner, database = map(sql.Identifier, names)
    with connect(server18.address) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, PASSWORD))
        admin.execute(sql.SQL("CREATE ROLE {}").format(owner))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
        yield server18.address.at(names[2]).as_role(names[0], Secret(PASSWORD))
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
        admin.execute(sql.SQL("DROP ROLE {}, {}").format(role, owner))


def told(error: pytest.ExceptionInfo[GreenroomError], pattern: str) -> str:
    """The statement in what is to be done."""
    match = re.search(pattern, error.value.hint or "")
    assert match, error.value.hint
    return match[1]


def owner_of(odd: Address) -> str:
    """Quoted."""
    return sql.Identifier(odd.user.replace("role", "Owner")).as_string()


def run(admin: Address, statement: str) -> None:
    with connect(admin) as connection:
        connection.execute(statement.encode())


def test_right_to_read(odd: Address, server18: Server) -> None:
    admin = server18.address.at(odd.database)
    run(admin, "CREATE TABLE theirs (id int)")
    with connect(odd) as mine:
        with pytest.raises(GreenroomError) as caught:
            readable.refuse_unreadable(mine, odd, [])
        run(admin, told(caught, r"(GRANT .*)\.$"))
        readable.refuse_unreadable(mine, odd, [])


def test_right_to_create_a_database(odd: Address, server18: Server) -> None:
    with connect(odd) as mine:
        with pytest.raises(GreenroomError) as caught:
            branch.refuse_no_createdb(mine, odd.server)
        run(server18.address, told(caught, r"(ALTER ROLE .* CREATEDB), and "))
        branch.refuse_no_createdb(mine, odd.server)


def test_right_to_put_a_lease_on_a_copy(odd: Address, server18: Server) -> None:
    terms = Lease.new(branch="fix_it", source="staging", hours=1, kept=False)
    with pytest.raises(GreenroomError) as caught:
        _grant(odd, terms)
    run(server18.address, told(caught, r"(GRANT .*)\.$"))
    _grant(odd, terms)


MAPPED = """
CREATE FOREIGN DATA WRAPPER none; GRANT USAGE ON FOREIGN DATA WRAPPER none TO {owner};
CREATE SERVER "A Server" FOREIGN DATA WRAPPER none; ALTER SERVER "A Server" OWNER TO {owner};
CREATE USER MAPPING FOR {owner} SERVER "A Server"; CREATE USER MAPPING FOR PUBLIC SERVER "A Server";
"""


@pytest.mark.parametrize(("pattern", "times"), [(r"\((GRANT .*)\), name", 1), (r"acquire say (DROP .*): docs", 2)])
def test_right_to_drop_a_user_mapping(odd: Address, server18: Server, pattern: str, times: int) -> None:
    admin = server18.address.at(odd.database)
    run(admin, MAPPED.format(owner=owner_of(odd)))
    try:
        with connect(odd) as mine:
            for _ in range(times):
                with pytest.raises(GreenroomError) as caught:
                    outside.drop_mappings(mine, "the copy", _LET_IT_DROP)
                run(admin, told(caught, pattern))
            outside.drop_mappings(mine, "the copy", _LET_IT_DROP)
    finally:
        run(admin, "DROP FOREIGN DATA WRAPPER none CASCADE")


def test_right_to_stop_a_subscription(odd: Address, server18: Server) -> None:
    admin = server18.address.at(odd.database)
    how = "CONNECTION 'host=nowhere.invalid password=x' PUBLICATION x WITH (connect = false, slot_name = 'x')"
    run(admin, f"CREATE SUBSCRIPTION theirs {how}")
    try:
        run(admin, f"GRANT pg_create_subscription TO {owner_of(odd)}")
        run(admin, f"ALTER SUBSCRIPTION theirs OWNER TO {owner_of(odd)}")
        with pytest.raises(GreenroomError) as caught:
            receiving.stop_subscriptions(odd, _LET_IT_STOP, whole_server=False)
        run(admin, told(caught, r"\((GRANT .*)\), or give"))
        receiving.stop_subscriptions(odd, _LET_IT_STOP, whole_server=False)
    finally:
        run(admin, "ALTER SUBSCRIPTION theirs SET (slot_name = NONE)")
        run(admin, "DROP SUBSCRIPTION theirs")


def test_comment_that_is_to_be_taken_off(odd: Address, server18: Server) -> None:
    name = sql.Identifier(odd.database)
    with connect(server18.address.at(odd.database)) as admin:
        admin.execute(sql.SQL("COMMENT ON DATABASE {} IS 'of others'").format(name))
        with pytest.raises(GreenroomError) as caught:
            _refuse_marked(admin, odd)
        admin.execute(told(caught, r"(COMMENT ON .*)\.$").encode())
        _refuse_marked(admin, odd)
