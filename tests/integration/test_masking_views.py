"""Materialised views that are filled before the masks are laid: they hold no old value afterwards."""

from __future__ import annotations

import psycopg
import pytest

from greenroom.postgres import masking
from greenroom.postgres.address import Address
from greenroom.postgres.server import connect
from tests.integration.masked_people import MASKS, PEOPLE, PLANTED, admin, admin18, failed, files_with, mask, one, owner

__all__ = ["admin", "admin18", "owner"]

VIEWS = """
CREATE SCHEMA "Odd";
CREATE VIEW named AS SELECT id, name FROM person;
CREATE MATERIALIZED VIEW "Odd".direct AS SELECT DISTINCT name FROM person;
CREATE MATERIALIZED VIEW by_view AS SELECT name FROM named;
CREATE MATERIALIZED VIEW a_by_another AS SELECT name FROM by_view;
CREATE FUNCTION names() RETURNS SETOF varchar LANGUAGE plpgsql STABLE AS
    'BEGIN RETURN QUERY SELECT name FROM public.person; END';
CREATE MATERIALIZED VIEW by_function AS SELECT name FROM names() AS name;
CREATE MATERIALIZED VIEW of_others AS SELECT 1 AS a;
CREATE MATERIALIZED VIEW not_filled AS SELECT name FROM person WITH NO DATA;
CREATE MATERIALIZED VIEW none_left AS SELECT name FROM person WHERE name LIKE 'Pl4nted%';
CREATE MATERIALIZED VIEW fails AS SELECT 1 / (CASE WHEN min(name) LIKE 'Pl4nted%' THEN 1 ELSE 0 END) AS a, min(name)
    FROM person UNION ALL SELECT 1, name FROM person;
ANALYZE
"""
FILLED = "SELECT array_agg(relname ORDER BY relname) FROM pg_class WHERE relkind = 'm' AND relispopulated"
OF_IT = "SELECT xmin FROM pg_class WHERE relname = 'of_others'"


def test_apply_renews_what_shows_a_masked_table(admin: psycopg.Connection) -> None:
    admin.execute(PEOPLE)
    admin.execute(VIEWS)
    untouched = one(admin, OF_IT)
    notes = mask(admin, MASKS)
    anew = "Odd.direct, public.a_by_another, public.by_function, public.by_view, public.none_left"
    assert notes[len(MASKS) :] == [
        f"filled anew from the masked rows: {anew}",
        "emptied: public.fails; REFRESH MATERIALIZED VIEW fails on the masked copy",
    ]
    assert one(admin, FILLED) == ["a_by_another", "by_function", "by_view", "direct", "none_left", "of_others"]
    assert one(admin, "SELECT count(*) FROM a_by_another") == 1000 and one(admin, OF_IT) == untouched
    assert one(admin, "SELECT count(*) FROM none_left") == 0
    admin.execute("VACUUM FULL pg_statistic")  # whose dead rows are a matter of PostgreSQL's own
    assert files_with(admin, PLANTED) == []


def test_apply_renews_what_a_query_in_a_text_shows(admin: psycopg.Connection) -> None:
    """PostgreSQL notes no dependency then. An extension's other functions have nothing to do with the masks."""
    admin.execute(PEOPLE)
    admin.execute(
        """
        CREATE EXTENSION tablefunc; CREATE EXTENSION pg_trgm; CREATE EXTENSION dblink;
        CREATE MATERIALIZED VIEW crossed AS
            SELECT * FROM crosstab('SELECT id, 1, name FROM public.person ORDER BY 1') AS c (id int, name varchar);
        CREATE MATERIALIZED VIEW words AS
            SELECT word FROM ts_stat('SELECT to_tsvector(''simple'', name) FROM public.person');
        CREATE MATERIALIZED VIEW alike AS SELECT similarity('a', 'b');
        CREATE MATERIALIZED VIEW elsewhere AS SELECT dblink_get_connections();
        """
    )
    notes = mask(admin, MASKS)
    assert notes[len(MASKS) :] == ["filled anew from the masked rows: public.crossed, public.words"]
    assert one(admin, f"SELECT count(*) FROM crossed WHERE name ~ '{PLANTED}'") == 0
    assert one(admin, "SELECT count(*) FROM words WHERE word ~ 'pl4nted'") == 0


def test_apply_refuses_a_view_that_it_cannot_renew(admin18: psycopg.Connection, owner: Address) -> None:
    """It is another's, and stays as it is: so the copy must go."""
    with connect(owner) as mine:
        mine.execute(PEOPLE)
        admin18.execute("CREATE MATERIALIZED VIEW theirs AS SELECT name FROM person")
        assert failed(mine, {"person.name": "name"}) == (
            f"{owner.user} cannot empty the materialised view public.theirs on the copy, which may show what is masked "
            "(SQLSTATE 42501)."
        )


@pytest.mark.parametrize("masks", [{}, {"person.name": "keep"}])
def test_apply_renews_nothing_where_nothing_is_changed(admin18: psycopg.Connection, masks: dict[str, str]) -> None:
    admin18.execute(PEOPLE)
    admin18.execute("CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    admin18.execute("CREATE MATERIALIZED VIEW named AS SELECT name, one() FROM person")
    before = one(admin18, "SELECT pg_relation_filenode('named')")
    masking.apply(admin18, masking.rules(masks, "staging"))
    assert one(admin18, "SELECT pg_relation_filenode('named')") == before
