"""A branch of an ordinary role comes without what only a superuser may make, and says so: nothing leans on it."""

from __future__ import annotations

import pytest

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.errors import GreenroomError
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from tests.integration.shop import ROWS, request, shop

THINGS = """
CREATE EXTENSION postgres_fdw; COMMENT ON EXTENSION postgres_fdw IS 'of others';
CREATE PUBLICATION "all of it" FOR ALL TABLES; COMMENT ON PUBLICATION "all of it" IS 'told';
CREATE PUBLICATION one FOR TABLE goods;
CREATE PUBLICATION schemas FOR TABLES IN SCHEMA public;
CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER seen ON sql_drop EXECUTE FUNCTION seen(); COMMENT ON EVENT TRIGGER seen IS 'told';
"""


def test_branch_is_made_without_them_and_names_them(server: Server) -> None:
    with shop(server) as source:
        with connect(source.admin) as admin:
            admin.execute(THINGS.encode())
        with acquire(request(url=source.url()), Silent()) as copy, connect(copy.address) as connection:
            assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
            made = connection.execute("SELECT pubname FROM pg_publication WHERE pubname <> 'schemas'").fetchall()
    assert made == [("one",)]
    (note,) = [note for note in copy.notes if note.startswith("not made")]
    named = note.removeprefix("not made, as only a superuser may: ").split(", ")
    things = ["event trigger seen", "extension postgres_fdw", 'publication "all of it"', "publication schemas"]
    assert sorted(named) == things


def test_what_leans_on_one_is_refused_by_name(server18: Server) -> None:
    with shop(server18) as source:
        with connect(source.admin) as admin:
            admin.execute("CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw")
        with pytest.raises(GreenroomError) as caught, acquire(request(url=source.url()), Silent()):
            pass
    where = source.address.server
    assert caught.value.sentence.startswith(f"the data cannot be restored on {where}: it failed at SERVER far: ")
