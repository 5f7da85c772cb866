"""Masks on real tables: what fits, what is refused before the dump, and that nothing of an old value stays."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres import masking, old_wal
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.mask_kinds import KINDS, SALT
from greenroom.postgres.server import connect
from greenroom.secret import Secret

PLANTED = "Pl4nted.Person"
WHERE = "tool.greenroom.databases.staging.masks."
REMEDY = "Correct it in pyproject.toml; nothing has been copied."

PEOPLE = """
CREATE TABLE person (
    id int PRIMARY KEY, email varchar(254) NOT NULL UNIQUE, name varchar(40), phone varchar(20), note text
);
INSERT INTO person
SELECT i, 'Pl4nted.Person' || i || '@mail.example', 'Pl4nted.Person', '+49 170 ' || i,
       CASE WHEN i % 10 > 0 THEN repeat('Pl4nted.Person wrote this. ', i % 300) END
FROM generate_series(1, 1000) AS i;
CREATE TABLE letter (id int PRIMARY KEY, sender varchar(254), body text);
INSERT INTO letter SELECT id, email, 'Pl4nted.Person' FROM person;
"""
MASKS = {
    "person.email": "email",
    "person.name": "name",
    "person.phone": "phone",
    "person.note": "text",
    "letter.sender": "email",
    "letter.body": "null",
}


@pytest.fixture
def admin(server: Server) -> Iterator[psycopg.Connection]:
    """A superuser in an empty database of the test's own."""
    yield from _database(server)


@pytest.fixture
def admin18(server18: Server) -> Iterator[psycopg.Connection]:
    """The same, on one server only: for what does not depend on its version."""
    yield from _database(server18)


def _database(server: Server) -> Iterator[psycopg.Connection]:
    name = f"masked{secrets.token_hex(3)}"
    with connect(server.address) as maintenance:
        maintenance.execute(f"CREATE DATABASE {name}")
        with connect(server.address.at(name)) as connection:
            yield connection
        maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def owner(admin18: psycopg.Connection, server18: Server) -> Iterator[Address]:
    """An ordinary role that owns what it makes."""
    role = f"owner{secrets.token_hex(3)}"
    admin18.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PLANTED}'")
    admin18.execute(f"GRANT ALL ON SCHEMA public TO {role}")
    yield server18.address.at(admin18.info.dbname).as_role(role, Secret(PLANTED))
    admin18.execute(f"DROP OWNED BY {role} CASCADE")
    admin18.execute(f"DROP ROLE {role}")


def mask(connection: psycopg.Connection, masks: Mapping[str, str]) -> list[str]:
    rules = masking.rules(masks, "staging")
    masking.check(connection, rules, "staging")
    return masking.apply(connection, rules)


def refused(connection: psycopg.Connection, masks: Mapping[str, str]) -> str:
    with pytest.raises(GreenroomError) as caught:
        masking.check(connection, masking.rules(masks, "staging"), "staging")
    assert caught.value.hint == REMEDY
    return caught.value.sentence


def failed(connection: psycopg.Connection, masks: Mapping[str, str]) -> str:
    with pytest.raises(GreenroomError) as caught:
        masking.apply(connection, masking.rules(masks, "staging"))
    assert PLANTED not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value.sentence


def one(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def files_with(connection: psycopg.Connection, words: str) -> list[str]:
    """Files of the connected database that hold `words`, as they lie on the disk."""
    connection.execute("CHECKPOINT")
    directory = Path(str(one(connection, "SHOW data_directory")))
    mine = directory / "base" / str(one(connection, "SELECT oid FROM pg_database WHERE datname = current_database()"))
    found = subprocess.run(["grep", "-rl", words, mine], capture_output=True, text=True, check=False)
    return found.stdout.split()


# --- apply ------------------------------------------------------------------------------------------------------------


def test_apply_leaves_nothing_of_the_old_values(admin: psycopg.Connection) -> None:
    admin.execute(PEOPLE)
    assert files_with(admin, PLANTED)
    assert mask(admin, MASKS) == [
        "masked: public.person.email as email (1,000 rows)",
        "masked: public.person.name as name (1,000 rows)",
        "masked: public.person.phone as phone (1,000 rows)",
        "masked: public.person.note as text (1,000 rows)",
        "masked: public.letter.sender as email (1,000 rows)",
        "masked: public.letter.body as null (1,000 rows)",
    ]
    assert files_with(admin, PLANTED) == []
    assert files_with(admin, "mail.example") == []


@pytest.mark.parametrize("major", [15, 18])
def test_forgotten_wal_has_nothing_of_the_old_values(major: int) -> None:
    with embedded(binaries=of_major(major)) as server, connect(server.address) as admin:
        admin.execute(PEOPLE)
        admin.execute("INSERT INTO letter VALUES (0, 'x', 'Pl4nted.Person')")  # by a transaction of its own: logged
        mask(admin, MASKS)
        assert files_of(server, PLANTED), "or this test shows nothing"
        old_wal.forget(admin)
        assert files_of(server, PLANTED) == []
        server.durable()
        assert files_of(server, PLANTED) == []
        with connect(server.address) as again:
            assert one(again, "SHOW wal_recycle") == "on"
            assert one(again, "SELECT count(*) FROM person") == 1000


def test_wal_that_something_holds_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_wal, "SEGMENTS", 3)
    settings = {"wal_level": "replica", "max_wal_senders": "1", "max_replication_slots": "1"}
    with embedded(settings=settings) as server, connect(server.address) as admin:
        admin.execute("SELECT pg_create_physical_replication_slot('held', true)")
        with pytest.raises(GreenroomError) as caught:
            old_wal.forget(admin)
        deadline = time.monotonic() + 10
        while one(admin, "SHOW wal_recycle") != "on":  # the server reads its settings again when it comes to it
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert caught.value.sentence == "the copy's server does not let go of its old write-ahead log."


def files_of(server: Server, words: str) -> list[str]:
    """Files of the whole data directory that hold `words`, the write-ahead log among them."""
    found = subprocess.run(["grep", "-rl", words, server.data], capture_output=True, text=True, check=False)
    return found.stdout.split()


def test_apply_keeps_joins_distinct_values_and_nulls(admin: psycopg.Connection) -> None:
    admin.execute(PEOPLE)
    mask(admin, MASKS)
    assert one(admin, "SELECT count(DISTINCT email) FROM person") == 1000
    assert one(admin, "SELECT count(*) FROM person JOIN letter ON sender = email AND letter.id = person.id") == 1000
    assert one(admin, "SELECT count(*) FROM person WHERE note IS NULL") == 100
    assert one(admin, "SELECT count(*) FROM person WHERE email ~ '^u[0-9a-f]{20}@example\\.invalid$'") == 1000
    assert one(admin, "SELECT count(DISTINCT phone), min(length(phone)) FROM person") == (1000, 20)
    # long texts stay as long, up to the next multiple of 16
    assert one(admin, "SELECT length(note) FROM person WHERE id = 299") == (299 * 27 + 15) // 16 * 16
    assert one(admin, "SELECT current_setting('greenroom.salt')") == ""


def test_apply_makes_another_copy_differ(admin18: psycopg.Connection) -> None:
    admin18.execute("CREATE TABLE t (a text); INSERT INTO t VALUES ('same')")
    admin18.execute("CREATE TABLE u (a text); INSERT INTO u VALUES ('same')")
    mask(admin18, {"t.a": "hash"})
    mask(admin18, {"u.a": "hash"})
    assert one(admin18, "SELECT t.a = u.a FROM t, u") is False


def test_apply_replaces_statistics_that_hold_values(admin18: psycopg.Connection) -> None:
    admin18.execute(PEOPLE)
    admin18.execute("ANALYZE")
    mask(admin18, {"person.name": "name"})
    held = "SELECT count(*) FROM pg_stats WHERE attname = 'name' AND most_common_vals::text LIKE '%Pl4nted%'"
    assert one(admin18, held) == 0


def test_apply_every_type(admin: psycopg.Connection) -> None:
    admin.execute(
        """
        CREATE EXTENSION citext; CREATE EXTENSION hstore;
        CREATE DOMAIN mail AS varchar(30); CREATE DOMAIN moment AS timestamptz;
        CREATE DOMAIN settings AS json CHECK (json_typeof(VALUE) = 'object');
        CREATE TABLE t (short mail, folded citext, code char(10), born date, seen moment, local timestamp,
                        ip inet, six inet, iptext varchar(15), u uuid, utext text, paid numeric(10, 2), bin bytea,
                        list jsonb, object settings, tags text[], h hstore, digest varchar(20), own text, same text);
        INSERT INTO t VALUES ('ann@x', 'Ann@X', 'abc', '1980-05-17', '2024-05-17 12:00+00', '2024-05-17 12:00',
            '8.8.8.8', '2001:db8::1', '8.8.4.4', gen_random_uuid(), gen_random_uuid()::text, 12.34, '\\x0102',
            '[1]', '{"a": 1}', '{a,b}', 'a=>1', 'z', 'secret', 'harmless');
        INSERT INTO t DEFAULT VALUES;
        INSERT INTO t (folded) VALUES ('ANN@x');
        """
    )
    kinds = "email email text date date date ip ip ip uuid uuid zero hash empty empty empty empty hash".split()
    names = [
        name
        for (name,) in admin.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum"
        )
    ]
    notes = mask(
        admin, dict(zip([f"t.{name}" for name in names], [*kinds, "sql:left(own, 1) || '%'", "keep"], strict=True))
    )
    assert notes[-2:] == ["masked: public.t.own as sql (3 rows)", "not masked, as declared: public.t.same"]
    rows = admin.execute("SELECT * FROM t").fetchall()
    assert rows[1] == (None,) * 20
    values = dict(zip(names, rows[0], strict=True))
    assert values["folded"] == rows[2][1]
    assert one(admin, "SELECT short ~ '^u[0-9a-f]{19}@x\\.invalid$' AND octet_length(code) = 10 FROM t LIMIT 1") is True
    assert one(admin, "SELECT born::text, seen AT TIME ZONE 'UTC', local::text FROM t LIMIT 1")[::2] == (  # type: ignore[index]
        "1980-05-01",
        "2024-05-01 00:00:00",
    )
    assert one(admin, "SELECT '10.0.0.0/8' >> ip AND 'fd00::/8' >> six AND '10.0.0.0/8' >> iptext::inet FROM t LIMIT 1")
    assert one(
        admin, "SELECT utext::uuid IS NOT NULL AND length(bin) = 32 AND digest ~ '^[0-9a-f]{20}$' FROM t LIMIT 1"
    )
    assert [values[name] for name in ("list", "object", "tags", "own", "same")] == [[], {}, [], "s%", "harmless"]
    assert (values["paid"], values["h"]) == (0, "")


def test_apply_goes_round_triggers_and_puts_them_back(admin: psycopg.Connection) -> None:
    admin.execute(
        """
        CREATE TABLE t (id int, a text); INSERT INTO t VALUES (1, 'Pl4nted.Person');
        CREATE TABLE audit (old text);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO audit VALUES (OLD.a); RETURN NEW; END $$;
        CREATE TRIGGER plain BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
        CREATE TRIGGER always BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
        CREATE TRIGGER replica BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
        CREATE TRIGGER off BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note();
        ALTER TABLE t ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica, DISABLE TRIGGER off;
        """
    )
    mask(admin, {"t.a": "text"})
    assert one(admin, "SELECT count(*) FROM audit") == 0
    assert one(admin, "SELECT string_agg(tgname || ':' || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger") == (
        "always:A off:D plain:O replica:R"
    )


def test_apply_as_an_ordinary_owner(owner: Address) -> None:
    with connect(owner) as mine:
        mine.execute(PEOPLE)
        mine.execute(
            """
            CREATE TABLE audit (old text);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO audit VALUES (OLD.name); RETURN NEW; END $$;
            CREATE TRIGGER plain BEFORE UPDATE ON person FOR EACH ROW EXECUTE FUNCTION note();
            CREATE POLICY few ON person USING (id < 10);
            ALTER TABLE person ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
            """
        )
        assert mask(mine, MASKS)[0] == "masked: public.person.email as email (1,000 rows)"
        assert one(mine, "SELECT count(*) FROM audit") == 0
        assert one(mine, "SELECT count(*) FROM person") == 9  # the policy holds again
        assert one(mine, "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'plain'") == "O"


def test_apply_as_somebody_else_is_refused(admin18: psycopg.Connection, owner: Address) -> None:
    admin18.execute(PEOPLE)
    admin18.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC")
    with connect(owner) as mine:
        assert failed(mine, MASKS) == f"{owner.user} may not mask public.person on the copy."


def test_apply_as_somebody_who_may_only_write_is_refused(admin18: psycopg.Connection, owner: Address) -> None:
    admin18.execute(PEOPLE)
    admin18.execute("GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO PUBLIC")
    with connect(owner) as mine:
        assert failed(mine, {"letter.body": "null"}) == f"{owner.user} may not mask public.letter on the copy."


def test_apply_keeps_long_texts_long_on_the_disk(admin18: psycopg.Connection) -> None:
    admin18.execute(
        "CREATE TABLE t (a text); INSERT INTO t SELECT repeat(md5(n::text), 700) FROM generate_series(1, 9) n"
    )
    mask(admin18, {"t.a": "text"})
    assert one(admin18, "SELECT min(length(a)) = 22400 AND min(pg_column_size(a)) > 9000 FROM t") is True
    assert one(admin18, "SELECT count(DISTINCT a) FROM t") == 9


def test_apply_in_another_encoding(server18: Server) -> None:
    with connect(server18.address) as maintenance:
        maintenance.execute(
            "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
        )
        with connect(server18.address.at("latin")) as admin:
            admin.execute("CREATE TABLE t (a text, b text, c text)")
            admin.execute("INSERT INTO t VALUES ('Jürgen', 'Jürgen', repeat('ü', 100))")
            mask(admin, {"t.a": "email", "t.b": "hash", "t.c": "text"})
            assert (
                one(admin, "SELECT a LIKE 'u%@example.invalid' AND length(b) = 64 AND length(c) = 112 FROM t") is True
            )
        maintenance.execute("DROP DATABASE latin WITH (FORCE)")


def test_apply_partitions_children_and_generated_columns(admin: psycopg.Connection) -> None:
    admin.execute(
        """
        CREATE TABLE visit (day date, who text, greeting text GENERATED ALWAYS AS ('Dear ' || who) STORED)
            PARTITION BY RANGE (day);
        CREATE TABLE visit_1 PARTITION OF visit FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
        CREATE TABLE visit_rest PARTITION OF visit DEFAULT PARTITION BY LIST (day);
        CREATE TABLE visit_rest_1 PARTITION OF visit_rest DEFAULT;
        INSERT INTO visit SELECT '2024-01-15'::date + i, 'Pl4nted.Person' FROM generate_series(1, 40) i;
        CREATE TABLE parent (a text); CREATE TABLE child (b text) INHERITS (parent);
        INSERT INTO parent VALUES ('Pl4nted.Person'); INSERT INTO child VALUES ('Pl4nted.Person', 'Pl4nted.Person');
        """
    )
    assert mask(admin, {"visit.who": "text", "parent.a": "name", "child.b": "text"}) == [
        "masked: public.visit.who as text (40 rows)",
        "masked: public.parent.a as name (2 rows)",
        "masked: public.child.b as text (1 rows)",
    ]
    assert one(admin, "SELECT count(*) FROM visit WHERE greeting = 'Dear ' || who AND greeting !~ 'Pl4nted'") == 40
    assert files_with(admin, PLANTED) == []


def test_apply_with_views_defaults_and_checks_in_the_way(admin18: psycopg.Connection) -> None:
    admin18.execute(
        """
        CREATE TABLE t (id serial, a text DEFAULT 'x' CHECK (length(a) < 100), b text COLLATE "C");
        ALTER TABLE t ALTER a SET STORAGE EXTERNAL;
        INSERT INTO t (a, b) VALUES ('Pl4nted.Person', 'b');
        CREATE VIEW v AS SELECT a FROM t;
        """
    )
    mask(admin18, {"t.a": "text", "t.b": "hash"})
    assert one(admin18, "SELECT a <> 'Pl4nted.Person' FROM v") is True
    assert (
        one(admin18, "SELECT attstorage::text FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a'")
        == "e"
    )


def test_apply_both_ends_of_a_foreign_key(admin18: psycopg.Connection) -> None:
    admin18.execute(
        """
        CREATE TABLE mailbox (address varchar(60) PRIMARY KEY);
        CREATE TABLE mail (id int, mailbox varchar(60) REFERENCES mailbox);
        INSERT INTO mailbox VALUES ('a@x'), ('b@x'); INSERT INTO mail VALUES (1, 'a@x'), (2, 'b@x'), (3, NULL);
        """
    )
    mask(admin18, {"mailbox.address": "email", "mail.mailbox": "email"})
    assert one(admin18, "SELECT count(*) FROM mail JOIN mailbox ON address = mailbox") == 2


@pytest.mark.parametrize(
    ("table", "mask_", "sentence"),
    [
        (
            "CREATE TABLE t (a text CHECK (a LIKE 'Pl4nted%'))",
            "hash",
            "the masked values of public.t break its constraint t_a_check (t.a = hash).",
        ),
        (
            "CREATE DOMAIN person AS text CONSTRAINT known CHECK (VALUE LIKE 'Pl4nted%'); CREATE TABLE t (a person)",
            "hash",
            "the masked values of public.t break its constraint known (t.a = hash).",
        ),
        (
            "CREATE TABLE t (a text UNIQUE)",
            "sql:'one'",
            "the masked values of public.t break its constraint t_a_key (t.a = sql).",
        ),
        (
            "CREATE TABLE t (a text NOT NULL)",
            "sql:nullif(a, a)",
            "the mask of public.t.a gives NULL, and the column is NOT NULL (t.a = sql).",
        ),
        ("CREATE TABLE t (a text)", "sql:a::int", "public.t cannot be masked (t.a = sql): SQLSTATE 22P02."),
    ],
)
def test_apply_failures_name_the_rule_and_quote_nothing(
    admin18: psycopg.Connection, table: str, mask_: str, sentence: str
) -> None:
    admin18.execute(table.encode())
    admin18.execute(f"INSERT INTO t VALUES ('{PLANTED}'), ('{PLANTED} 2')".encode())
    assert failed(admin18, {"t.a": mask_}) == sentence


def test_apply_does_not_carry_old_rows_over(
    admin18: psycopg.Connection, server18: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin18.execute(PEOPLE)
    monkeypatch.setattr(masking, "SETTLE_SECONDS", 0.3)
    with connect(server18.address.at(admin18.info.dbname)) as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1")
        assert failed(admin18, {"letter.body": "null"}) == (
            "old rows of public.letter cannot be removed from the copy: another session of its server still sees them."
        )


def test_apply_refuses_rows_that_a_rule_keeps_from_it(owner: Address) -> None:
    with connect(owner) as mine:
        mine.execute(PEOPLE)
        mine.execute("CREATE RULE frozen AS ON UPDATE TO letter WHERE OLD.id > 990 DO INSTEAD NOTHING")
        assert failed(mine, {"letter.body": "null"}) == (
            "only 990 rows of public.letter can be masked: a rule of the table keeps others from it."
        )


def test_apply_on_a_copy_that_is_not_the_source(admin18: psycopg.Connection) -> None:
    assert failed(admin18, {"t.a": "null"}) == ("the masks do not fit the copy: public.t.a: there is no table public.t")


EXAMPLES = {
    "email": ("varchar(254)", "ann@mail.example"),
    "name": ("varchar(150)", "Annika"),
    "phone": ("varchar(20)", "+49 170 1234567"),
    "text": ("text", "Call her back, please."),
    "hash": ("varchar(32)", "token-1234"),
    "uuid": ("uuid", "6f1c9a52-6a4e-4f0e-9a39-0d6f4d1f6f6b"),
    "ip": ("inet", "203.0.113.7"),
    "date": ("date", "1980-05-17"),
    "zero": ("numeric(10,2)", "1250.00"),
    "empty": ("jsonb", '{"allergy": "nuts"}'),
    "null": ("text", "Call her back, please."),
    "keep": ("text", "blue"),
}


def test_docs_show_what_each_kind_makes(admin18: psycopg.Connection) -> None:
    page = (Path(__file__).parents[2] / "docs" / "masking.md").read_text(encoding="utf-8")
    assert list(EXAMPLES) == list(KINDS)
    for kind, (column, value) in EXAMPLES.items():
        admin18.execute(
            f"DROP TABLE IF EXISTS t; CREATE TABLE t (a {column}); INSERT INTO t VALUES ('{value}')".encode()
        )
        admin18.execute("SELECT set_config(%s, 'docs', false)", [SALT])
        mask(admin18, {"t.a": kind})
        made = one(admin18, "SELECT coalesce(nullif(format('%s', a), ''), 'NULL') FROM t")
        families = ", ".join(KINDS[kind].families) or "any"
        assert f"| `{kind}` | {families} | {KINDS[kind].makes} | `{value}` | `{made}` |\n" in page


# --- check ------------------------------------------------------------------------------------------------------------

ODD = """
CREATE TYPE mood AS ENUM ('calm', 'cross');
CREATE TABLE auth_user (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL, login text UNIQUE, mood mood, age int,
    short varchar(12), upper_email text GENERATED ALWAYS AS (upper(email)) STORED, number varchar(15) UNIQUE
);
CREATE VIEW everybody AS SELECT * FROM auth_user;
CREATE TABLE event (day date, kind text, who text) PARTITION BY LIST (lower(kind));
CREATE TABLE event_1 PARTITION OF event DEFAULT;
CREATE TABLE tag (name text PRIMARY KEY);
CREATE TABLE tagged (id int, tag text REFERENCES tag, other text REFERENCES tag);
"""


@pytest.mark.parametrize(
    ("key", "kind", "why"),
    [
        ("auth_usr.email", "email", "there is no table public.auth_usr (similar: auth_user)"),
        ("pg_catalog.pg_class.relname", "null", "there is no table pg_catalog.pg_class"),
        ("auth_user.mail", "email", "public.auth_user has no column mail (similar: email)"),
        ("everybody.email", "email", "public.everybody is a view: the rule belongs to the tables that it shows"),
        ("auth_user.upper_email", "email", "it is a generated column: mask those that it is made of"),
        ("auth_user.id", "zero", "it is GENERATED ALWAYS AS IDENTITY, and its values cannot be replaced"),
        ("auth_user.email", "null", "null does not fit a column that is NOT NULL"),
        ("auth_user.age", "email", "email does not fit integer, but text columns"),
        ("auth_user.mood", "text", "text does not fit public.mood, but text columns"),
        ("auth_user.short", "hash", "hash needs room for 16 characters, and character varying(12) has less"),
        (
            "auth_user.login",
            "name",
            "name makes the same of different values, and public.auth_user_login_key wants them unique",
        ),
        (
            "auth_user.number",
            "phone",
            "phone makes the same of different values, and public.auth_user_number_key wants them unique",
        ),
        ("event.kind", "text", "it decides in which partition a row lies, and cannot be masked"),
        (
            "event_1.who",
            "text",
            "public.event_1 has this column from public.event: write the rule for that one, and it holds for both",
        ),
        ("auth_user.email", "sql:lower(mail)", 'PostgreSQL refuses the expression: column "mail" does not exist'),
        ("auth_user.email", "sql:email) FROM auth_user; DELETE FROM tag; SELECT ('x'", None),
        ("auth_user.age", "sql:current_date", "PostgreSQL refuses the expression: cannot cast type date to integer"),
        (
            "tag.name",
            "hash",
            "the foreign key tagged_other_fkey ties it to public.tagged, "
            "so both ends want the same kind, and the same type",
        ),
    ],
)
def test_check_refuses(admin: psycopg.Connection, key: str, kind: str, why: str | None) -> None:
    admin.execute(ODD)
    if why is None:
        assert "cannot insert multiple commands into a prepared statement" in refused(admin, {key: kind})
    else:
        assert refused(admin, {key: kind}).split("; ")[0] == f'{WHERE}"{key}": {why}'


def test_check_names_all_at_once(admin18: psycopg.Connection) -> None:
    admin18.execute(ODD)
    assert refused(admin18, {"auth_usr.email": "email", "auth_user.email": "null", "event.who": "text"}) == (
        f'{WHERE}"auth_usr.email": there is no table public.auth_usr (similar: auth_user); '
        f'{WHERE}"auth_user.email": null does not fit a column that is NOT NULL'
    )


def test_check_takes_what_is_right(admin: psycopg.Connection) -> None:
    admin.execute(ODD)
    masks = {
        "auth_user.email": "email",
        "auth_user.login": "hash",
        "auth_user.mood": "null",
        "auth_user.age": "sql:age % 100 / 10 * 10",
        "auth_user.id": "keep",
        "tag.name": "hash",
        "tagged.tag": "hash",
        "tagged.other": "null",
    }
    masking.check(admin, masking.rules(masks, "staging"), "staging")


def test_check_writes_nothing_and_needs_no_right_to(admin18: psycopg.Connection, owner: Address) -> None:
    admin18.execute(PEOPLE)
    admin18.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC")
    with connect(owner, read_only=True) as reading:
        masking.check(reading, masking.rules({**MASKS, "letter.body": "sql:upper(body)"}, "staging"), "staging")


def test_check_refuses_rows_of_another_server(admin18: psycopg.Connection) -> None:
    admin18.execute(
        """
        CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
        CREATE TABLE t (a text) PARTITION BY LIST (a);
        CREATE TABLE plain (b text); CREATE FOREIGN TABLE plain_far () INHERITS (plain) SERVER far;
        """
    )
    assert refused(admin18, {"plain.b": "text"}) == (
        f'{WHERE}"plain.b": public.plain_far is a part of it whose rows are on another server, '
        "where they would be changed"
    )


# --- uncovered --------------------------------------------------------------------------------------------------------


def test_uncovered_names_everything_that_may_hold_words(admin: psycopg.Connection) -> None:
    admin.execute(
        """
        CREATE TYPE mood AS ENUM ('calm'); CREATE TYPE pair AS (a text, b int);
        CREATE DOMAIN mail AS varchar(30); CREATE DOMAIN age AS int;
        CREATE TABLE t (
            id int, covered text, mood mood, born date, span interval, u uuid, ip inet, ages age[], r int4range,
            yes boolean, many int[], kept text, "Odd" mail, list mail[], j jsonb, j2 json, x bytea, c char(3),
            v varchar, words tsvector, pair pair, twice text GENERATED ALWAYS AS (covered || covered) STORED
        );
        CREATE TABLE more (extra text) INHERITS (t);
        CREATE TABLE unmasked (a text);
        """
    )
    rules = masking.rules({"t.covered": "text", "t.kept": "keep"}, "staging")
    names = "Odd c j j2 list pair v words x".split()
    assert masking.uncovered(admin, rules) == ["public.more.extra", *(f"public.t.{name}" for name in names)]


def test_refuse_uncovered_names_the_lines_to_add(admin18: psycopg.Connection) -> None:
    admin18.execute("CREATE SCHEMA crm; CREATE TABLE t (a text, b text, c text); CREATE TABLE crm.t (a text, b text)")
    with pytest.raises(GreenroomError) as caught:
        masking.refuse_uncovered(admin18, masking.rules({"t.a": "text", "crm.t.a": "null"}, "staging"), "staging")
    assert str(caught.value) == (
        "staging is sensitive, and these columns of its masked tables have no rule, so no copy of it is kept: "
        "crm.t.b, public.t.b, public.t.c.\n"
        '  Add them to [tool.greenroom.databases.staging.masks]; "keep" declares one harmless:\n'
        '  "crm.t.b" = "text"\n'
        '  "t.b" = "text"\n'
        '  "t.c" = "text"'
    )


def test_refuse_uncovered_without_any_mask(admin18: psycopg.Connection) -> None:
    with pytest.raises(GreenroomError) as caught:
        masking.refuse_uncovered(admin18, [], "staging")
    assert str(caught.value) == (
        "staging is sensitive and has no masks, so no copy of it is kept.\n"
        '  Write them: [tool.greenroom.databases.staging.masks] with lines such as "auth_user.email" = "email".'
    )


def test_refuse_uncovered_is_content_when_all_have_a_rule(admin18: psycopg.Connection) -> None:
    admin18.execute("CREATE TABLE t (id int, a text, b text)")
    masking.refuse_uncovered(admin18, masking.rules({"t.a": "text", "t.b": "keep"}, "staging"), "staging")


# --- excluded ---------------------------------------------------------------------------------------------------------

LOGS = """
CREATE SCHEMA crm; CREATE SCHEMA "Odd";
CREATE TABLE audit_log (id int PRIMARY KEY); CREATE TABLE audit_mail (id int); CREATE TABLE person (id int PRIMARY KEY);
CREATE TABLE crm.audit_log (id int); CREATE TABLE "Odd"."Audit.1" (id int);
CREATE TABLE click (day date PRIMARY KEY, n int) PARTITION BY RANGE (day);
CREATE TABLE click_a PARTITION OF click FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE click_b PARTITION OF click DEFAULT;
CREATE TABLE audit_note (id int, log int REFERENCES audit_log, person int REFERENCES person);
CREATE TABLE hit (day date REFERENCES click);
CREATE VIEW audit_view AS SELECT 1;
INSERT INTO audit_log VALUES (1); INSERT INTO click VALUES ('2024-01-02');
"""


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], []),
        (["audit_log"], ["public.audit_log"]),
        (["audit_*", "public.audit_mail"], ["public.audit_log", "public.audit_mail", "public.audit_note"]),
        (["*.audit_log"], ["crm.audit_log", "public.audit_log"]),
        (["Odd.*"], ['"Odd"."Audit.1"']),
        (["click"], ["public.click", "public.click_a", "public.click_b"]),
        (["click_?"], ["public.click_a", "public.click_b"]),
    ],
)
def test_excluded_gives_exact_names(admin: psycopg.Connection, patterns: list[str], names: list[str]) -> None:
    admin.execute(LOGS)
    assert masking.excluded(admin, patterns, "staging") == names


def test_excluded_names_are_what_pg_dump_takes(server18: Server, admin18: psycopg.Connection) -> None:
    admin18.execute(LOGS)
    admin18.execute('INSERT INTO "Odd"."Audit.1" VALUES (1); INSERT INTO crm.audit_log VALUES (1)')
    names = masking.excluded(admin18, ["Odd.*", "crm.*"], "staging")
    address = server18.address.at(admin18.info.dbname)
    words: list[str | Path] = [server18.binaries.program("pg_dump"), f"--dbname={address.conninfo}", "--data-only"]
    words += [f"--exclude-table-data={name}" for name in names]
    dumped = subprocess.run(words, env=address.password_environment, capture_output=True, text=True, check=True).stdout
    assert "COPY public.audit_log" in dumped
    assert "Odd" not in dumped and "crm" not in dumped


def test_excluded_pattern_that_matches_nothing(admin18: psycopg.Connection) -> None:
    admin18.execute(LOGS)
    with pytest.raises(GreenroomError) as caught:
        masking.excluded(admin18, ["audit_*", "audit_logs", "nix.*"], "staging")
    assert str(caught.value) == (
        "tool.greenroom.databases.staging.exclude_data: audit_logs matches no table "
        "(similar: audit_log, crm.audit_log, audit_note); "
        "tool.greenroom.databases.staging.exclude_data: nix.* matches no table\n"
        f"  {REMEDY}"
    )


def test_excluded_rows_that_others_refer_to(admin: psycopg.Connection) -> None:
    admin.execute(LOGS)
    admin.execute("INSERT INTO audit_note VALUES (1, 1); INSERT INTO hit VALUES ('2024-01-02')")
    with pytest.raises(GreenroomError) as caught:
        masking.excluded(admin, ["audit_log", "click_a"], "staging")
    assert str(caught.value) == (
        "tool.greenroom.databases.staging.exclude_data leaves out rows that others refer to, so that their foreign "
        "keys could not be restored: public.audit_note refers to public.audit_log (audit_note_log_fkey); "
        "public.hit refers to public.click (hit_day_fkey).\n"
        '  Leave these out too: "public.audit_note", "public.hit"; or copy the rows that they refer to.'
    )
    assert masking.excluded(admin, ["audit_log", "audit_note"], "staging") == ["public.audit_log", "public.audit_note"]


def test_excluded_rows_that_only_nulls_would_refer_to(admin18: psycopg.Connection) -> None:
    admin18.execute(LOGS)
    admin18.execute("INSERT INTO person VALUES (1); INSERT INTO audit_note VALUES (1, NULL, 1)")
    assert masking.excluded(admin18, ["audit_log"], "staging") == ["public.audit_log"]
