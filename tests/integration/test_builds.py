"""What not every build of PostgreSQL has is named before anything is restored."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import archive as archives
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from tests.integration.shop import request, shop

TABLES = {
    "lz4": "CREATE TABLE packed AS SELECT repeat('x', 9000) AS t; ALTER TABLE packed ALTER t SET COMPRESSION lz4",
    "XML": "CREATE TABLE packed AS SELECT '<a/>'::xml AS t",
}


@pytest.mark.parametrize("what", TABLES)
def test_what_a_server_is_built_without_is_named_and_its_data_stays(
    what: str, server15: Server, server18: Server, tmp_path: Path
) -> None:
    with connect(server15.address) as there, connect(server18.address) as here:
        # a user's servers may be built otherwise; in CI (GREENROOM_TESTS_MAY_NOT_SKIP) a skip is a failure
        if what not in archives.built_with(there) or what in archives.built_with(here):
            pytest.skip(f"needs a PostgreSQL 15 with {what}, and an 18 without")
    with shop(server15) as source:
        with connect(source.admin) as admin:
            admin.execute(TABLES[what].encode())
            admin.execute(f"ALTER TABLE packed OWNER TO {source.owner}".encode())
        dump, given = source.dump(tmp_path / "shop.dump"), source.url(server18.address)
        with (
            pytest.raises(GreenroomError) as caught,
            acquire(request(dump=dump, server=given), Silent()),
        ):
            pass
        assert caught.value.sentence == (
            f"shop.dump needs {what} (public.packed), which {server18.address.server} does not have."
        )
        with acquire(request(dump=dump), Silent()) as copy, connect(copy.admin) as connection:
            assert connection.execute("SELECT count(*) FROM packed").fetchone() == (1,)
