"""Statements of a source, said about its copy."""

from __future__ import annotations

import pytest

from greenroom.postgres.branch import for_database

COPY = 'co"py'


@pytest.mark.parametrize(
    ("statement", "renamed"),
    [
        ("ALTER DATABASE shop SET \"TimeZone\" TO 'UTC'", 'ALTER DATABASE "co""py" SET "TimeZone" TO \'UTC\''),
        ('ALTER DATABASE "my ""shop" SET a TO b', 'ALTER DATABASE "co""py" SET a TO b'),
        (
            "ALTER ROLE \"Odd Role\" IN DATABASE shop SET search_path TO 'a b'",
            'ALTER ROLE "Odd Role" IN DATABASE "co""py" SET search_path TO \'a b\'',
        ),
        ("GRANT CONNECT ON DATABASE shop TO reader", 'GRANT CONNECT ON DATABASE "co""py" TO reader'),
        ("REVOKE ALL ON DATABASE shop FROM PUBLIC", 'REVOKE ALL ON DATABASE "co""py" FROM PUBLIC'),
    ],
)
def test_for_database_puts_the_copys_name_in(statement: str, renamed: str) -> None:
    assert for_database(statement, COPY) == renamed


@pytest.mark.parametrize(
    "statement",
    ["ALTER DATABASE shop CONNECTION LIMIT = 5", "ALTER DATABASE shop IS_TEMPLATE = true", "DROP DATABASE shop"],
)
def test_for_database_leaves_the_rest_out(statement: str) -> None:
    assert for_database(statement, COPY) is None
