from __future__ import annotations

import re

import pytest

from greenroom.environment.comparing import State, compare, fingerprint, table
from greenroom.environment.parameters import Parameter
from greenroom.environment.registry import Registry
from greenroom.secret import Secret


def there(name: str, value: str, type: str = "String") -> dict[str, Parameter]:
    return {name: Parameter(name, Secret(value), type, 1)}


def test_compare_every_state(registry: Registry) -> None:
    here = {"DJANGO_DB_HOST": "db", "DJANGO_DB_NAME": "new", "DJANGO_DB_USER": "me", "DJANGO_INTERNAL_PORT_NUM": "1"}
    stored = there("DJANGO_DB_NAME", "old") | there("DJANGO_DB_USER", "me") | there("OTHER", "pl4nted")
    found = compare(registry, {name: Secret(value) for name, value in here.items()}, stored)
    assert [(difference.name, difference.state) for difference in found] == [
        ("DJANGO_INTERNAL_PORT_NUM", State.FOREIGN),
        ("DJANGO_DB_HOST", State.NEW),
        ("DJANGO_DB_NAME", State.CHANGED),
        ("DJANGO_DB_USER", State.SAME),
        ("OTHER", State.ONLY_THERE),
    ]
    assert table(registry, found).splitlines() == [
        "  ! DJANGO_INTERNAL_PORT_NUM  the task definition sets it, not SSM",
        "  + DJANGO_DB_HOST            db",
        "  ~ DJANGO_DB_NAME            old -> new",
        "  - OTHER                     only in SSM, and not taken from there",
        "  = 1 the same",
    ]


def test_table_shows_no_secret(registry: Registry) -> None:
    here = {"DJANGO_DB_PASS": Secret("pl4nted-new"), "DJANGO_DB_USER": Secret("pl4nted-user"), "X": Secret("pl4nted")}
    stored = there("DJANGO_DB_PASS", "pl4nted-old") | there("DJANGO_DB_USER", "pl4nted-other", "SecureString")
    text = table(registry, compare(registry, here, stored))
    assert "pl4nted" not in text
    assert re.search(r"~ DJANGO_DB_PASS  #[0-9a-f]{8} -> #[0-9a-f]{8}$", text, re.MULTILINE)


def test_table_keeps_a_value_on_its_line(registry: Registry) -> None:
    here = {"DJANGO_DB_HOST": Secret("a\nb\x1b[31m" + "c" * 80)}
    (line, _) = table(registry, compare(registry, here, {})).splitlines()
    assert line == rf"  + DJANGO_DB_HOST  a\nb\x1b[31m{'c' * 36}..."


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a" * 60 + ".example.com", "a" * 60 + ".example.org"),
        ("a" * 48 + "b", "a" * 48),
        ("db\u00a0", "db"),
        ("db\n", "db "),
    ],
)
def test_table_shows_where_two_values_differ(registry: Registry, old: str, new: str) -> None:
    found = compare(registry, {"DJANGO_DB_HOST": Secret(new)}, there("DJANGO_DB_HOST", old))
    line = table(registry, found).splitlines()[0]
    before, _, after = line.removeprefix("  ~ DJANGO_DB_HOST  ").partition(" -> ")
    assert before != after


def test_fingerprint_tells_equal_from_different_and_nothing_else() -> None:
    assert fingerprint(Secret("a")) == fingerprint(Secret("a")) != fingerprint(Secret("b"))
    assert re.fullmatch(r"#[0-9a-f]{8}", fingerprint(Secret("a")))
