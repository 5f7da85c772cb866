"""Roles of the source whose rights or settings are odd: looked at before anything is made, or of no consequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from psycopg import sql

from greenroom.console import Silent
from greenroom.copies import preview
from greenroom.copies.acquiring import CopyRequest, acquire
from greenroom.errors import GreenroomError
from greenroom.postgres.server import connect
from tests.integration.bastion import Bastion
from tests.integration.shop import ROWS, Shop
from tests.integration.sources import source
from tests.integration.staging import places, wanted

pytestmark = pytest.mark.full

__all__ = ["places", "source"]


def copied(request: CopyRequest) -> None:
    with acquire(request, Silent()):
        pass


def checked(request: CopyRequest) -> None:
    preview.check(request, Silent())


@contextmanager
def hidden(shop: Shop, *statements: str) -> Iterator[None]:
    """Things of the superuser's, beside those of the shop's owner."""
    with connect(shop.admin) as admin:
        for statement in statements:
            admin.execute(statement.encode())
    yield


BARRED = [
    (["CREATE TABLE hidden (id int)"], "{user} may not read public.hidden of {where}."),
    (["CREATE SEQUENCE counted"], "{user} may not read public.counted of {where}."),
    (
        ["CREATE SCHEMA closed", "CREATE TABLE closed.open (id int)", "GRANT SELECT ON closed.open TO PUBLIC"],
        "{user} may not read closed.open of {where}.",
    ),
    (
        [f"CREATE TABLE t{n} (id int)" for n in range(7)],
        "{user} may not read public.t0, public.t1, public.t2, public.t3, public.t4 and 2 more of {where}.",
    ),
    (
        [
            "CREATE TABLE secured (id int)",
            "GRANT SELECT ON secured TO PUBLIC",
            "ALTER TABLE secured ENABLE ROW LEVEL SECURITY",
        ],
        "row security hides rows of public.secured from {user}, {where}.",
    ),
]


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("way", [copied, checked])
@pytest.mark.parametrize(("statements", "said"), BARRED, ids=["table", "sequence", "schema", "many", "rows"])
def test_what_the_role_may_not_read_is_named_before_anything_is_made(
    source: Shop, statements: list[str], said: str, way: Callable[[CopyRequest], None], remote: bool
) -> None:
    where = f"{source.address.database} on {source.address.server}"
    with hidden(source, *statements), pytest.raises(GreenroomError) as caught:
        way(wanted(source, how={"remote": remote}))
    assert caught.value.sentence == said.format(user=source.owner, where=where)


def test_rows_that_stay_may_be_hidden(source: Shop) -> None:
    statements, _ = BARRED[-1]
    with hidden(source, *statements), acquire(wanted(source, exclude_data=["secured"]), Silent()) as copy:
        assert "not copied: the rows of public.secured" in copy.notes


def test_what_an_extension_brings_need_not_be_read(source: Shop) -> None:
    """It comes by CREATE EXTENSION."""
    with hidden(source, "CREATE TABLE part (id int)", "ALTER EXTENSION pg_trgm ADD TABLE part"):
        checked(wanted(source))


SETTINGS = (
    "search_path = odd_path, public, pg_catalog",
    "client_encoding = LATIN1",
    "DateStyle = 'German, DMY'",
    "IntervalStyle = sql_standard",
    "bytea_output = escape",
    "extra_float_digits = -15",
    "quote_all_identifiers = on",
    "default_transaction_isolation = serializable",
    "default_transaction_read_only = on",
    "row_security = off",
    "array_nulls = off",
    "standard_conforming_strings = off",
    "xmloption = document",
    "enable_seqscan = off",
)
# what a path that names pg_catalog late puts before PostgreSQL's own
SHADOWS = (
    "CREATE SCHEMA odd_path",
    "GRANT USAGE ON SCHEMA odd_path TO PUBLIC",
    "CREATE TABLE odd_path.pg_roles (rolname text)",
    "CREATE TABLE odd_path.pg_class (oid oid, relname text)",
    "GRANT SELECT ON ALL TABLES IN SCHEMA odd_path TO PUBLIC",
    "CREATE FUNCTION odd_path.pg_get_userbyid(oid) RETURNS name LANGUAGE sql AS $$ SELECT 'nobody'::name $$",
)


@pytest.mark.parametrize("way", [{}, {"via": True}, {"how": {"remote": True}}, {"via": True, "how": {"remote": True}}])
def test_settings_of_the_role_change_nothing_in_the_copy(source: Shop, vpn: Bastion, way: dict[str, object]) -> None:
    vpn.client(source.server.binaries)
    given = {**way, "via": vpn.via} if way.get("via") else way
    who = sql.Identifier(source.owner)
    rows = "CREATE TABLE odd_rows AS SELECT '{1,NULL}'::int[] AS a, '2 days 3 hours'::interval AS i, 0.1::float8 AS f"
    with hidden(source, *SHADOWS, 'CREATE TABLE "größe €" (n int)', 'GRANT SELECT ON "größe €" TO PUBLIC'):
        with connect(source.address) as mine:
            mine.execute(rows.encode())
        with connect(source.server.address) as admin:
            for setting in SETTINGS:
                admin.execute(sql.SQL("ALTER ROLE {} SET {}").format(who, sql.SQL(setting)))
        with acquire(wanted(source, **given), Silent()) as copy, connect(copy.admin) as connection:
            assert connection.execute("SELECT count(*) FROM public.goods").fetchone() == (ROWS,)
            assert connection.execute('SELECT count(*) FROM public."größe €"').fetchone() == (0,)
            equal = "SELECT a = '{1,NULL}' AND i = '2 days 3 hours' AND f = 0.1 FROM public.odd_rows"
            assert connection.execute(equal).fetchone() == (True,)
            owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'public.goods'::regclass"
            assert connection.execute(owner).fetchone() == (source.owner,)


@pytest.mark.parametrize("remote", [False, True])
def test_limit_of_the_role_is_one_sentence(source: Shop, remote: bool) -> None:
    who = sql.Identifier(source.owner)
    with connect(source.server.address) as admin:
        for limit in ("temp_file_limit = 0", "work_mem = '64kB'"):
            admin.execute(sql.SQL("ALTER ROLE {} SET {}").format(who, sql.SQL(limit)))
    with pytest.raises(GreenroomError) as caught:
        checked(wanted(source, how={"remote": remote}))
    assert caught.value.sentence == (
        f"{source.address.database} on {source.address.server} could not be read (SQLSTATE 53400): "
        'temporary file size exceeds "temp_file_limit" (0kB).'
    )


@pytest.fixture
def latin(source: Shop) -> Iterator[str]:
    """Another database of the shop's owner, in an encoding that no argv is in."""
    name = f"{source.address.database}_latin"
    words = "CREATE DATABASE {} OWNER {} ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    with connect(source.server.address) as admin:
        admin.execute(sql.SQL(words).format(sql.Identifier(name), sql.Identifier(source.owner)))
    with connect(source.address.at(name)) as mine:
        for table in ("größe", "plain"):
            mine.execute(sql.SQL("CREATE TABLE {} AS SELECT 'süß' AS wort").format(sql.Identifier(table)))
    yield name
    with connect(source.server.address) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("via", [False, True])
def test_rows_that_stay_do_so_in_another_encoding_too(
    source: Shop, latin: str, vpn: Bastion, via: bool, remote: bool
) -> None:
    vpn.client(source.server.binaries)
    how: dict[str, object] = {"via": vpn.via} if via else {}
    asked = wanted(source, name=latin, exclude_data=["größe"], how={"remote": remote}, **how)
    with acquire(asked, Silent()) as copy, connect(copy.admin) as connection:
        assert connection.execute('SELECT count(*) FROM "größe"').fetchone() == (0,)
        assert connection.execute("SELECT wort FROM plain").fetchone() == ("süß",)
        kept = "SELECT pg_encoding_to_char(encoding), datlocprovider::text FROM pg_database WHERE datname = %s"
        assert connection.execute(kept, [copy.name]).fetchone() == ("LATIN1", "c"), "template0 has another provider"
