"""A row of a model to try things with: like one that is there, or made from the fields' types where none is."""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

NotKnown = object()  # there is no such value, or nothing to vary: no try
DEEPEST = 4  # parents of parents
NO_ROW = 2_000_000_000  # a key that no row has, within an integer
SHORT = 20  # characters of a text that is made up
LONG = 5000  # of one that has no limit


class Sample:
    """Rows of `model`. Inserted ones differ from all others where the model's own constraints want them to."""

    def __init__(self, model: Any, alias: str, depth: int = 0) -> None:
        self._model, self._alias, self._depth = model, alias, depth
        self._meta = model._meta
        self._fields = [
            field
            for field in self._meta.local_concrete_fields
            if not getattr(field, "generated", False) and not _is_automatic(field)
        ]
        self.writable = {field.attname for field in self._fields if not field.primary_key}
        self._unique = self._unique_fields()

    def insert(self) -> Any:
        """One row like another; returns its primary key."""
        return self._insert({})

    def with_nulls(self) -> Any:
        """NULL wherever the model allows it."""
        return self._varied(lambda field: None if field.null else NotKnown)

    def with_longest(self) -> Any:
        """The longest text and the largest number that each field takes."""
        return self._varied(self._longest)

    def with_least(self) -> Any:
        """Empty text and the smallest number that each field takes."""
        return self._varied(self._least)

    def with_dangling_keys(self) -> Any:
        """Keys of no row, where the model has a relation without a constraint."""
        return self._varied(
            lambda field: NO_ROW if field.remote_field and not getattr(field, "db_constraint", True) else NotKnown
        )

    def with_values(self, changes: Dict[str, Any]) -> Any:
        """These values, by attname."""
        return self._insert(changes)

    def choices(self) -> List[Dict[str, Any]]:
        """One change for each choice of each field that has some."""
        return [{field.attname: value} for field in self._fields if field.choices for value, _ in field.flatchoices]

    def row(self) -> Tuple[Any, Dict[str, Any]]:
        """Primary key and values of a row that is there, else of one that has just been inserted."""
        found = self._existing()
        if found is None:
            pk = self.insert()
            found = self._model._base_manager.using(self._alias).filter(pk=pk).values().first()
        keys = [found[field.attname] for field in getattr(self._meta, "pk_fields", [self._meta.pk])]  # several: 5.2
        return tuple(keys) if len(keys) > 1 else keys[0], found

    def value_of(self, field: Any) -> Any:
        """Of a row that is there; None where none is."""
        manager = self._model._base_manager.using(self._alias)
        try:
            return manager.order_by().exclude(**{field.attname: None}).values_list(field.attname, flat=True).first()
        except Exception:
            return None

    def _varied(self, value: Callable[[Any], Any]) -> Any:
        free = [field for field in self._fields if not field.primary_key and field.attname not in self._unique]
        changes = {field.attname: found for field in free for found in [value(field)] if found is not NotKnown}
        return self._insert(changes) if changes else NotKnown

    def _insert(self, changes: Dict[str, Any]) -> Any:
        values = {**self._values(), **changes}
        for parent, link in self._meta.parents.items():
            if link is not None and link.model is self._model:  # a child's row needs one of its parent's
                values[link.attname] = Sample(parent, self._alias, self._depth + 1).insert()
        made = self._model(**{key: value for key, value in values.items() if key in self._attnames()})
        returning = [self._meta.pk] if _is_automatic(self._meta.pk) else []
        manager = self._model._base_manager.using(self._alias)
        found = manager._insert([made], fields=self._fields, returning_fields=returning, using=self._alias, raw=True)
        return found[0][0] if returning and found else getattr(made, self._meta.pk.attname)

    def _attnames(self) -> Set[str]:
        return {field.attname for field in self._fields}

    def _values(self) -> Dict[str, Any]:
        there = self._existing() or {}
        values = {f.attname: there[f.attname] if f.attname in there else self._made_up(f) for f in self._fields}
        for field in self._fields:
            if field.attname in self._unique or (field.primary_key and not field.remote_field):
                values[field.attname] = self._another(field, values[field.attname])
        return values

    def _existing(self) -> Optional[Dict[str, Any]]:
        """Columns of the model's own table, as the driver gives them to this code."""
        names = [field.attname for field in self._meta.local_concrete_fields]
        rows = self._model._base_manager.using(self._alias).order_by().values(*names)[:1]
        return next(iter(rows), None)

    def _unique_fields(self) -> Set[str]:
        """Fields of which a new row needs a value of its own: one of each constraint."""
        found = {field.attname for field in self._fields if field.unique and not field.primary_key}
        groups = [tuple(group) for group in self._meta.unique_together]
        groups += [tuple(getattr(one, "fields", ()) or ()) for one in self._meta.constraints if _is_unique(one)]
        for group in groups:
            fields = [self._meta.get_field(name) for name in group]
            if fields and not any(field.attname in found for field in fields):
                free = [field for field in fields if field.remote_field is None] or fields
                found.add(free[0].attname)
        return found

    def _another(self, field: Any, value: Any) -> Any:
        """A value that no row has."""
        if field.remote_field is not None:
            return Sample(field.remote_field.model, self._alias, self._depth + 1).insert()
        if isinstance(value, uuid.UUID):
            return uuid.uuid4()
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, str):
            return uuid.uuid4().hex[: field.max_length or SHORT]
        if isinstance(value, datetime.datetime):
            return value + datetime.timedelta(microseconds=uuid.uuid4().int % 10**9)
        if isinstance(value, datetime.date):
            return value + datetime.timedelta(days=uuid.uuid4().int % 10**5)
        if isinstance(value, (int, decimal.Decimal, float)):
            largest = self._manager_max(field)
            return (largest if largest is not None else value) + 1
        return value

    def _manager_max(self, field: Any) -> Any:
        from django.db.models import Max

        return self._model._base_manager.using(self._alias).aggregate(most=Max(field.attname))["most"]

    def _made_up(self, field: Any) -> Any:
        """By the field's type: its default, NULL where that is allowed, else the plainest value."""
        if field.remote_field is not None and not field.null:
            return self._parent(field)
        if field.has_default():
            return field.get_default()
        if field.null:
            return None
        if field.choices:
            return field.flatchoices[0][0]
        return plainest(field)

    def _parent(self, field: Any) -> Any:
        parent = field.remote_field.model
        found = (
            parent._base_manager.using(self._alias).order_by().values_list(field.target_field.attname, flat=True)[:1]
        )
        there = next(iter(found), None)
        if there is not None or self._depth >= DEEPEST:
            return there
        return Sample(parent, self._alias, self._depth + 1).insert()

    def _longest(self, field: Any) -> Any:
        kind = field.get_internal_type()
        if kind in ("CharField", "SlugField") and field.max_length and not field.choices:
            return "x" * field.max_length
        if kind == "TextField" and not field.choices:
            return "x" * LONG
        if kind.endswith("IntegerField") and not field.choices and field.remote_field is None:
            return self._range(kind)[1]
        if kind == "DecimalField":
            return decimal.Decimal(10 ** (field.max_digits - field.decimal_places) - 1)
        return NotKnown

    def _least(self, field: Any) -> Any:
        kind = field.get_internal_type()
        if kind in ("CharField", "TextField") and field.blank and not field.choices:
            return ""
        if kind.endswith("IntegerField") and not field.choices and field.remote_field is None:
            return self._range(kind)[0]
        return NotKnown

    def _range(self, kind: str) -> Tuple[Any, Any]:
        from django.db import connections

        least, most = connections[self._alias].ops.integer_field_range(kind)
        return least, most


def plainest(field: Any) -> Any:
    """A value of the field's type; NotKnown's place is taken by None: the server will say what it thinks of it."""
    kind = field.get_internal_type()
    if kind in ("CharField", "TextField", "SlugField", "FileField", "FilePathField", "ImageField"):
        return "x"
    if kind.endswith("IntegerField") or kind == "FloatField":
        return 1
    made: Dict[str, Callable[[], Any]] = {
        "ArrayField": list,
        "BinaryField": lambda: b"x",
        "BooleanField": lambda: True,
        "DateField": lambda: datetime.date(2020, 1, 1),
        "DateTimeField": _now,
        "DecimalField": lambda: decimal.Decimal(1),
        "DurationField": lambda: datetime.timedelta(1),
        "GenericIPAddressField": lambda: "127.0.0.1",
        "HStoreField": dict,
        "JSONField": dict,
        "TimeField": lambda: datetime.time(12),
        "UUIDField": uuid.uuid4,
    }
    return made[kind]() if kind in made else None


def _now() -> Any:
    from django.utils import timezone

    return timezone.now()


def _is_automatic(field: Any) -> bool:
    return field.get_internal_type() in ("AutoField", "BigAutoField", "SmallAutoField")


def _is_unique(constraint: Any) -> bool:
    return type(constraint).__name__ == "UniqueConstraint"
