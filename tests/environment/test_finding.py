from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.environment.finding import find, nearest
from greenroom.environment.listing import found, table
from greenroom.environment.registry import Registry
from greenroom.errors import GreenroomError


@pytest.mark.parametrize(
    ("word", "first", "why"),
    [
        ("DJANGO_DB_HOST", "DJANGO_DB_HOST", "its name"),
        ("secret", "DJANGO_SECRET_KEY", "its name"),
        ("db-host", "DJANGO_DB_HOST", "its name"),
        ("DB_PASSWORD", "DJANGO_DB_PASS", "a name like it"),
        ("DJANGO_LOGLEVEL", "DJANGO_LOG_LEVEL", "a name like it"),
        ("DATABASE_PASSWORD", "DJANGO_DB_PASS", "its description"),
        ("tls", "DJANGO_DB_SSLMODE", "its description"),
        ("SECURE_SSL_REDIRECT", "DJANGO_EXTERNAL_PROTOCOL", "its description"),
    ],
)
def test_find(registry: Registry, word: str, first: str, why: str) -> None:
    variable, reason = find(registry, word)[0]
    assert (variable.name, reason) == (first, why)


@pytest.mark.parametrize("word", ["redis", "", "--", "KAFKA_BROKERS"])
def test_find_nothing(registry: Registry, word: str) -> None:
    assert find(registry, word) == []


def test_found_says_what_to_reuse(registry: Registry) -> None:
    text, any_found = found(registry, "DB_PASSWORD", registry.directory / "config" / "environment.py")
    assert any_found
    assert text.startswith("DJANGO_DB_PASS (string, required, secret): a name like it\n    Password of that role.\n")
    assert "Reuse one of these where it means the same." in text


def test_found_nothing_says_how_to_add_one(registry: Registry) -> None:
    text, any_found = found(registry, "redis", registry.directory / "config" / "environment.py")
    assert not any_found
    assert text.startswith("Nothing in the registry is like redis.\nA new one is declared in ")


@pytest.mark.parametrize("word", ["", "  "])
def test_found_needs_a_word(registry: Registry, word: str) -> None:
    with pytest.raises(GreenroomError, match="there is none"):
        found(registry, word, Path("app/config/environment.py"))


def test_nearest(registry: Registry) -> None:
    assert nearest(registry, "DJANGO_DB_PASSWORD") == "DJANGO_DB_PASS"
    assert nearest(registry, "SOMETHING_ELSE") is None


def test_table_has_every_variable_and_the_origins_of_all_environments(registry: Registry) -> None:
    head, *lines = table(registry, None).splitlines()
    assert head.split("  ")[0] == "name" and "in production container" in head and "in plain python" in head
    assert [line.split()[0] for line in lines] == list(registry.variables)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("production-container", ["DJANGO_DB_HOST", "string", "yes", "-", "-", "SSM"]),
        ("test-container", ["DJANGO_DB_HOST", "string", "yes", "-", "-", "compose"]),
        ("plain-python", ["DJANGO_DB_HOST", "string", "-", "-", "localhost", "default", "or", "shell"]),
    ],
)
def test_table_of_one_environment(registry: Registry, kind: str, words: list[str]) -> None:
    lines = {line.split()[0]: line for line in table(registry, kind).splitlines()}  # type: ignore[arg-type]
    assert lines["DJANGO_DB_HOST"].split() == words
    assert "plain-python-only" not in "".join(lines.values())
