"""The normaliser: nothing of the data gets through, and everything that is not data does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.rehearsal.sql import CUT, LONGEST, blanked, normalise, only_rows


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1;", "SELECT $1"),
        ("  SELECT\n\t1 ,  2 ", "SELECT $1 , $2"),
        ("select 'it''s', 'b'", "select $1, $2"),
        (r"select E'it\'s' || e'\\'", "select $1 || $2"),
        ("select 'a'\n  'b', 3", "select $1, $2"),
        ("select b'01', X'1F', N'n', B'1'", "select $1, $2, $3, $4"),
        (r"select U&'d\0061t' UESCAPE '!'", "select $1 UESCAPE $2"),
        ("select 42, 3.5, 4., .001, 5e2, 1.9e-3", "select $1, $2, $3, $4, $5, $6"),
        ("select 0x1F, 0o17, 0b10, 1_500_000", "select $1, $2, $3, $4"),
        ("select $$a'b$$, $x$ $$ $x$, $é$ü$é$", "select $1, $2, $3"),
        (
            "where a = %s and b = %(arg0)s and c %% 2 = 0 and d <%% e",
            "where a = $1 and b = $2 and c % $3 = $4 and d <% e",
        ),
        ("where a = $2 and b = $1", "where a = $1 and b = $2"),
        ("where a = -5 and b IS NOT NULL and c = TRUE", "where a = -$1 and b IS NOT NULL and c = TRUE"),
        ("DEFAULT'x'NOT NULL", "DEFAULT $1 NOT NULL"),
    ],
)
def test_normalise_literals(sql: str, expected: str) -> None:
    assert normalise(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select 1 -- one\n, 2", "select $1 , $2"),
        ("select/* a /* nested */ ' */1", "select $1"),
        ("select 'a -- b /* c'", "select $1"),
        ("select 1 +-- two\r3", "select $1 + $2"),
    ],
)
def test_normalise_comments(sql: str, expected: str) -> None:
    assert normalise(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        'ALTER TABLE "ledger_statement" ADD COLUMN "note" varchar(50) NULL',
        'CREATE TABLE a1 (x numeric(10, 2), y timestamp(6) with time zone, "é$ü" vector(3), w bit varying (7))',
        "SELECT x::numeric(5,-2), z char(3), g geometry(POINT,4326)",
        """SELECT "it's 1 -- /* %s $$", "a""b", U&"d\\0061t" FROM "sch 2"."<script>" AS t1$2""",
        "CREATE INDEX CONCURRENTLY i_1 ON t2 USING gin (a jsonb_path_ops) WHERE NOT b",
        "SELECT a @> b, c #>> d, e ? f, g::text[]",
    ],
)
def test_normalise_keeps_names_and_types(sql: str) -> None:
    assert normalise(sql) == sql


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SET LOCAL lock_timeout = '2s';", "SET LOCAL lock_timeout = '2s'"),
        ("set\n lock_timeout TO 0 ; ", "set lock_timeout TO 0"),
        ("SET SESSION statement_timeout='500 ms'", "SET SESSION statement_timeout='500 ms'"),
        ("SET lock_timeout = '2s'; SELECT 1", "SET lock_timeout = $1; SELECT $2"),
        ("SET lock_timeout = %s", "SET lock_timeout = $1"),
        ("SET lock_timeout = '49152 Miller'", "SET lock_timeout = $1"),
        ("SET app.lock_timeout = 7", "SET app.lock_timeout = $1"),
    ],
)
def test_normalise_keeps_the_limit_of_a_timeout(sql: str, expected: str) -> None:
    assert normalise(sql) == expected


def test_normalise_number_of_a_call_is_data_but_a_modifier_is_not() -> None:
    assert normalise("x varchar(50) DEFAULT left_pad(50)") == "x varchar(50) DEFAULT left_pad($1)"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("id IN (1, 2, 3) AND x = 4", "id IN ($1, ...) AND x = $2"),
        ("id IN (%s,%s)", "id IN ($1, ...)"),
        ("id IN (1)", "id IN ($1)"),
        ("id IN ('a'::text, NULL, -5)", "id IN ($1::text, ...)"),
        ("(a, b) IN ((1, 'x'), (2, 'y'))", "(a, b) IN (($1, $2), ...)"),
        ("= ANY(ARRAY['a', 'b']::varchar(20)[])", "= ANY(ARRAY[$1, ...]::varchar(20)[])"),
        ("id IN (SELECT 1, 2)", "id IN (SELECT $1, $2)"),
        ("id IN (a, b)", "id IN (a, b)"),
        (
            "INSERT INTO t (a) VALUES (1, now()), (2, DEFAULT), (3, f((4))) RETURNING id",
            "INSERT INTO t (a) VALUES ($1, now()), ... RETURNING id",
        ),
        ("VALUES (1, 2)", "VALUES ($1, $2)"),
    ],
)
def test_normalise_lists(sql: str, expected: str) -> None:
    assert normalise(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "select 'hunter2",
        "select E'hunter2\\'",
        "select $a$hunter2",
        "select $a$ $a hunter2",
        "select /* hunter2",
        "select /* /* */ hunter2",
        'select "hunter2',
        "select U&'hunter2",
        'select U&"hunter2',
        r"select 'a\' hunter2' ",
        r"select 'a\'' hunter2",
        r"select 'a\\\' hunter2",
        "select E'a'\n'b\\'hunter2'",
        "select 1hunter2",
        "select $1hunter2",
    ],
)
def test_normalise_doubt_hides_the_rest(sql: str) -> None:
    assert normalise(sql) == "select $1"


def test_normalise_even_backslashes_end_a_string_in_both_readings() -> None:
    assert normalise(r"a LIKE '\\' AND b LIKE 'c\\\\'") == "a LIKE $1 AND b LIKE $2"


def test_normalise_long_statement_is_cut_between_tokens() -> None:
    sql = "SELECT " + ", ".join(f'"column {n}"' for n in range(500))
    short = normalise(sql)
    assert len(short) <= LONGEST
    assert short.endswith(f'", {CUT}') or short.endswith(f'" {CUT}')
    assert normalise(short) == short


def test_normalise_a_million_characters_quickly() -> None:
    assert normalise("SELECT " + "''" * 500_000 + "'") == "SELECT $1"
    assert normalise("INSERT INTO t VALUES " + ",".join(["(1,'x')"] * 60_000)) == "INSERT INTO t VALUES ($1,$2), ..."


SECRET = "s3cr3t"
INSIDE = st.sampled_from(
    [SECRET, f" {SECRET} ", f"{SECRET}''", f"é{SECRET}", f"\n{SECRET}", f"-- {SECRET}", f"/* {SECRET}", f'"{SECRET}']
)
PLANTED = st.one_of(
    INSIDE.map(lambda s: f"'{s}'"),
    INSIDE.map(lambda s: f"E'{s}\\''"),
    INSIDE.map(lambda s: f"'\\'{s}'"),
    INSIDE.map(lambda s: f"U&'{s}'"),
    INSIDE.map(lambda s: f"$${s}$$"),
    INSIDE.map(lambda s: f"$t${s}$t$"),
    INSIDE.map(lambda s: f"/* {s} */"),
    INSIDE.map(lambda s: f"'a'\n'{s}'"),
    st.just(f"-- {SECRET}\n"),
    st.sampled_from(["90210777", "9021.0777", "0x90210777", "9_0210777", "90210777e5", "x'90210777'", "b'90210777'"]),
)
UNENDED = st.one_of(INSIDE.map(lambda s: f"'{s}x"), INSIDE.map(lambda s: f"$q${s}"), INSIDE.map(lambda s: f"/* {s}"))
AROUND = st.sampled_from(
    [
        "SELECT",
        "a",
        '"Na me"',
        "IN (",
        ")",
        ",",
        "VALUES (",
        "=",
        "%%",
        "%s",
        "::text",
        "varchar(50)",
        "[",
        "]",
        ".",
        "1",
        "NULL",
        ";",
    ]
)
GAP = st.sampled_from([" ", "\n", "  ", "/**/"])


@st.composite
def statements(draw: st.DrawFn) -> str:
    """Statements out of tokens with secrets planted between them, and at times one that does not end."""
    pieces = draw(st.lists(st.one_of(AROUND, PLANTED), min_size=1, max_size=14))
    text = "".join(piece + draw(GAP) for piece in pieces)
    return text + draw(st.one_of(st.just(""), UNENDED))


@settings(max_examples=400, deadline=None)
@given(statements())
def test_normalise_planted_secrets_stay_behind(sql: str) -> None:
    shown = normalise(sql)
    assert SECRET not in shown
    assert "0777" not in shown
    assert normalise(shown) == shown


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="aeEuU&x'\"$\\-/*%()s[],.:;0123_ \nINVALUESé", max_size=60))
def test_normalise_any_text_twice_is_once(sql: str) -> None:
    shown = normalise(sql)
    assert normalise(shown) == shown
    assert len(shown) <= LONGEST


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("ALTER TABLE a ADD b int DEFAULT 42 NOT NULL;", "ALTER TABLE a ADD b int DEFAULT 0 NOT NULL"),
        ("ALTER TABLE a ADD b text DEFAULT'it''s'NOT NULL", "ALTER TABLE a ADD b text DEFAULT '' NOT NULL"),
        ("DO $$ secret $$ -- and why\n", "DO ''"),
        ('CREATE INDEX "a\nb" /* x */ ON t (c) WHERE d IN (1, 2.5)', 'CREATE INDEX "a\nb" ON t (c) WHERE d IN (0, 0)'),
        ("ALTER TABLE a ADD b int DEFAULT %s", "ALTER TABLE a ADD b int DEFAULT ''"),
        ("ALTER TABLE a ADD b varchar(50)", "ALTER TABLE a ADD b varchar(0)"),
        (r"ALTER TABLE a ADD b text DEFAULT 'x\' OR 'y'", None),
        ("ALTER TABLE a ADD b text DEFAULT 'x", None),
    ],
)
def test_blanked_can_be_parsed_and_says_nothing_of_the_data(sql: str, expected: str | None) -> None:
    assert blanked(sql) == expected


@settings(max_examples=400, deadline=None)
@given(statements())
def test_blanked_planted_secrets_stay_behind(sql: str) -> None:
    blank = blanked(sql)
    if blank is not None:
        assert SECRET not in blank
        assert "0777" not in blank
        assert blanked(blank) == blank


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE a SET b = $1", True),
        ("(SELECT $1)", True),
        ("with a as (select $1) delete from b", True),
        ("UPDATE a SET b = $1; DROP TABLE a", False),
        ("TRUNCATE a", False),
        ("SELECTED", False),
    ],
)
def test_only_rows(sql: str, expected: bool) -> None:
    assert only_rows(sql) == expected
