"""Masks on real tables: each type, and what may stand in the way of a new value."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.mask_kinds import KINDS, SALT
from greenroom.postgres.server import connect
from tests.integration.masked_people import MASKS, PEOPLE, PLANTED, admin, admin18, files_with, mask, one, owner

__all__ = ["admin", "admin18", "owner"]


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


OBSERVED = """
CREATE TABLE t (id int, a text); INSERT INTO t VALUES (1, 'Pl4nted.Person');
CREATE TABLE audit (old text);
CREATE RULE plain AS ON UPDATE TO t DO ALSO INSERT INTO audit VALUES (OLD.a);
CREATE RULE always AS ON UPDATE TO t DO ALSO INSERT INTO audit VALUES (OLD.a);
CREATE RULE "Off" AS ON UPDATE TO t DO ALSO INSERT INTO audit VALUES (OLD.a);
ALTER TABLE t ENABLE ALWAYS RULE always, DISABLE RULE "Off";
"""


@pytest.mark.parametrize("who", ["superuser", "owner"])
def test_apply_goes_round_rules_and_puts_them_back(who: str, admin18: psycopg.Connection, owner: Address) -> None:
    """A superuser has all but one of them wait by a setting."""
    with connect(owner) as mine:
        connection = admin18 if who == "superuser" else mine
        connection.execute(OBSERVED)
        mask(connection, {"t.a": "text"})
        assert one(connection, "SELECT count(*) FROM audit") == 0
        states = "SELECT string_agg(rulename || ':' || ev_enabled::text, ' ' ORDER BY rulename) FROM pg_rewrite"
        assert one(connection, f"{states} WHERE ev_class = 't'::regclass") == "Off:D always:A plain:O"


def test_apply_to_published_tables_without_a_key(admin: psycopg.Connection) -> None:
    """PostgreSQL refuses an UPDATE of them; what they say of their rows is the same afterwards."""
    admin.execute(
        """
        CREATE TABLE t (day int, a text) PARTITION BY RANGE (day);
        CREATE TABLE t_1 PARTITION OF t DEFAULT;
        CREATE TABLE said (a text); ALTER TABLE said REPLICA IDENTITY NOTHING;
        CREATE TABLE keyed (a text PRIMARY KEY);
        INSERT INTO t VALUES (1, 'x'); INSERT INTO said VALUES ('x'); INSERT INTO keyed VALUES ('x');
        CREATE PUBLICATION everything FOR ALL TABLES;
        """
    )
    identities = "SELECT string_agg(relname || ':' || relreplident::text, ' ' ORDER BY relname) FROM pg_class"
    identities += " WHERE relname IN ('t', 't_1', 'said', 'keyed')"
    before = one(admin, identities)
    assert len(mask(admin, {"t.a": "text", "said.a": "text", "keyed.a": "hash"})) == 3
    assert one(admin, identities) == before
    assert one(admin, "SELECT count(*) FROM t, said, keyed WHERE 'x' IN (t.a, said.a, keyed.a)") == 0


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
