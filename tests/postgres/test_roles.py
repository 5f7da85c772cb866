"""The roles that a dump names."""

from __future__ import annotations

from greenroom.postgres.roles import named_in, owners_in
from greenroom.postgres.toc import Contents, Entry


def contents(*entries: tuple[str, str | None, str]) -> Contents:
    made = tuple(Entry(kind, "public", "x", owner, text, False, None) for kind, owner, text in entries)
    return Contents("shop", "18.6", "18.6", "gzip", made)


def test_owners_in_leaves_predefined_roles_out() -> None:
    assert owners_in(contents(("TABLE", "app", ""), ("SCHEMA", "pg_database_owner", ""), ("EXTENSION", None, ""))) == {
        "app"
    }


def test_named_in_reads_privileges_policies_and_settings() -> None:
    found = named_in(
        contents(
            (
                "ACL",
                "app",
                'REVOKE ALL ON TABLE t FROM app;\nGRANT SELECT ON TABLE t TO "Odd ""Role" WITH GRANT OPTION;\n',
            ),
            ("ACL", "app", "SET SESSION AUTHORIZATION granter;\nGRANT SELECT ON TABLE t TO PUBLIC;\n"),
            ("DEFAULT ACL", "app", "ALTER DEFAULT PRIVILEGES FOR ROLE maker GRANT SELECT ON TABLES  TO taker;\n"),
            ("POLICY", "app", "CREATE POLICY p ON public.t TO one, \"Two 2\" USING ((x = 'TO three'::text));\n"),
            ("DATABASE PROPERTIES", "app", "ALTER ROLE set_one IN DATABASE shop SET a TO b;\n"),
        )
    )
    assert found == {"app", 'Odd "Role', "granter", "maker", "taker", "one", "Two 2", "set_one"}


def test_named_in_does_not_read_roles_out_of_other_statements() -> None:
    assert named_in(contents(("FUNCTION", "app", "CREATE FUNCTION f() ... GRANT x TO somebody;\n"))) == {"app"}
