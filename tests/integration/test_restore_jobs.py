"""What pg_restore's jobs say at the same time, as pg_restore of 15 and of 18 say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.postgres.embedded import Server
from greenroom.postgres.restoring import Stored, Target, restore_section
from greenroom.postgres.server import connect
from tests.integration.shop import Shop, shop

LONG = 300_000  # letters: more than a socket takes at once
INDEXES = 40


def built(source: Shop, dump: Path, server: Server) -> None:
    """Make what the dump builds on its tables in the database that it is of, with eight jobs."""
    target = Target(source.admin, True, "embedded", source.server.version_num)
    restore_section(Stored(dump, dump.name), target, server.binaries, Silent(), "post-data", jobs=8)


@pytest.mark.parametrize("fixture", ["server15", "server18"])
def test_error_with_a_long_statement_is_heard(fixture: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(fixture)
    with shop(server) as source:
        with connect(source.admin) as connection:
            connection.execute("CREATE TABLE many (id int, name text)")
            says = f"WHERE new.name = '{'x' * LONG}' DO NOTHING"
            connection.execute(f"CREATE RULE lengthy AS ON INSERT TO many {says}")
        with pytest.raises(GreenroomError, match="it failed at RULE many lengthy"):
            built(source, source.dump(tmp_path / "x.dump", "--table=many"), server)


def test_harmless_errors_of_many_jobs_are_passed_over(server15: Server, server18: Server, tmp_path: Path) -> None:
    """Each of 18's jobs sets a parameter that 15 does not know, and says so beside the others."""
    with shop(server15) as source:
        with connect(source.admin) as connection:
            connection.execute("CREATE TABLE many (id int)")
            for number in range(INDEXES):
                connection.execute(f"CREATE INDEX many_{number} ON many (id)")
        dump = source.dump(tmp_path / "x.dump", "--table=many")
        for _ in range(10):
            with connect(source.admin) as connection:
                for number in range(INDEXES):
                    connection.execute(f"DROP INDEX many_{number}")
            built(source, dump, server18)
