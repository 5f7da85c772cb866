"""`env-check` of what SSM holds."""

from __future__ import annotations

from greenroom.environment.parameters import Parameter, problems
from greenroom.environment.registry import Registry
from greenroom.secret import Secret
from tests.app.variables import COMPLETE


def test_line_break_at_the_end_of_a_secret_is_told(registry: Registry) -> None:
    """As `aws ssm put-parameter --value file://...` writes it."""
    values = {**COMPLETE, "DJANGO_DB_PASS": "pl4nted\n"}
    stored = {name: Parameter(name, Secret(value), "SecureString", 1) for name, value in values.items()}
    assert problems(registry, stored) == [
        "DJANGO_DB_PASS is malformed: it begins or ends with a blank, or has a line break"
    ]


def test_invisible_character_is_told(registry: Registry) -> None:
    """As `env-check --environment` and `doctor` have it."""
    values = {**COMPLETE, "DJANGO_DB_HOST": "\ufeffpl4nted"}
    stored = {name: Parameter(name, Secret(value), "SecureString", 1) for name, value in values.items()}
    assert problems(registry, stored) == [
        "DJANGO_DB_HOST is malformed: it has an invisible character, U+FEFF, as pasting from a document may add"
    ]
