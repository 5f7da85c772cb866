"""Values of a field: one that no row has, and the plainest of its type."""

from __future__ import annotations

import datetime
import decimal
import itertools
import secrets
import uuid
from typing import Any, Callable, Dict

SHORT = 20  # characters of a text that is made up
LONG = 5000  # of one that has no limit
# Days that a row is moved by: past what most tables span, each row past the ones before, and past another process's.
FIRST_DAYS, NEXT_DAYS, MOST_ROWS = 20_000, 211, 10_000

_count = itertools.count(secrets.randbelow(1000))


class Apart:
    """Values for one new row. All its days and ranges move equally far, so that what was in order stays in order."""

    def __init__(self) -> None:
        self._days = datetime.timedelta(days=FIRST_DAYS + NEXT_DAYS * (next(_count) % MOST_ROWS))
        self._further = datetime.timedelta(microseconds=secrets.randbelow(10**9))
        self._number = 10**5 + secrets.randbelow(10**8)

    def from_value(self, field: Any, value: Any, largest: Callable[[], Any]) -> Any:
        """Another value than all that are there, as far as the type has one; `largest` of them is asked for numbers."""
        if isinstance(value, uuid.UUID):
            return uuid.uuid4()
        if isinstance(value, bool) or value is None or field.choices:
            return value
        if isinstance(value, str):
            return unlike_others(min(field.max_length or SHORT, SHORT))
        if isinstance(value, (int, decimal.Decimal, float)):
            most = largest()
            return (most if most is not None else value) + 1
        if hasattr(value, "lower") and hasattr(value, "upper_inc"):
            bounds = getattr(value, "bounds", None) or getattr(value, "_bounds", None)
            return type(value)(self._moved(value.lower), self._moved(value.upper), bounds)
        return self._moved(value)

    def _moved(self, value: Any) -> Any:
        if isinstance(value, datetime.datetime):
            return value + self._days + self._further
        if isinstance(value, datetime.date):
            return value + self._days
        return value + self._number if isinstance(value, (int, decimal.Decimal)) else value


def unlike_others(length: int) -> str:
    """A text of that many characters, of which the first 32 are a number that nobody else has."""
    return uuid.uuid4().hex[:length].ljust(length, "x")


def reluctance(field: Any) -> int:
    """How little a field lends itself to another value: 0 well, 1 with a row of another model, 2 not at all."""
    if field.remote_field is not None:
        return 1
    kind = field.get_internal_type()
    plain = kind.endswith(
        ("IntegerField", "CharField", "TextField", "SlugField", "UUIDField", "FloatField")
    ) or kind in ("DecimalField", "DateField", "DateTimeField", "FileField", "ImageField", "EmailField", "URLField")
    return 0 if plain and not field.choices else 2


def plainest(field: Any, place: int = 0) -> Any:
    """A value of the field's type, `place` steps after the first one; NotKnown's place is taken by None: the server
    will say what it thinks of it."""
    kind = field.get_internal_type()
    if kind in ("CharField", "TextField", "SlugField", "FileField", "FilePathField", "ImageField"):
        return "x"
    if kind.endswith("IntegerField") or kind == "FloatField":
        return 1 + place
    made: Dict[str, Callable[[], Any]] = {
        "ArrayField": list,
        "BinaryField": lambda: b"x",
        "BooleanField": lambda: True,
        "DateField": lambda: datetime.date(2020, 1, 1) + datetime.timedelta(place),
        "DateTimeField": lambda: _now() + datetime.timedelta(place),
        "DecimalField": lambda: decimal.Decimal(1 + place),
        "DurationField": lambda: datetime.timedelta(1 + place),
        "GenericIPAddressField": lambda: "127.0.0.1",
        "HStoreField": dict,
        "JSONField": dict,
        "TimeField": lambda: datetime.time(12, place % 60),
        "UUIDField": uuid.uuid4,
    }
    return made[kind]() if kind in made else None


def _now() -> Any:
    from django.utils import timezone

    return timezone.now()
