"""A row of a model to try things with: like one that is there, or made from the fields' types where none is."""

from __future__ import annotations

import decimal
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from .values import LONG, Apart, plainest, reluctance, unlike_others

NotKnown = object()  # there is no such value, or nothing to vary: no try
DEEPEST = 4  # parents of parents
NO_ROW = 2_000_000_000  # a key that no row has, within an integer
ORDERS = (0, 1, -1)  # of the values of a row that is made up, from one field to the next
MOST_CHOICES = 40  # of a model that are tried


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
        self._order = 0
        checks = [one for one in self._meta.constraints if type(one).__name__ == "CheckConstraint"]
        if checks:
            self._order = next((order for order in ORDERS if self._keeps_to(checks, order)), 0)

    def insert(self) -> Any:
        """One row like another; returns its primary key."""
        return self._insert({})

    def with_values(self, changes: Dict[str, Any]) -> Any:
        """One row like another, but for these values by attname; returns its primary key."""
        return self._insert(changes)

    def edges(self) -> Dict[str, Dict[str, Any]]:
        """What a row can be given at once that is at the edge of what the fields take, by attname: for each action."""
        kinds: Dict[str, Callable[[Any], Any]] = {
            "insert NULLs": self._null,
            "insert the longest": self._longest,
            "insert the least": self._least,
            "insert a dangling key": self._dangling,
        }
        free = [field for field in self._fields if not field.primary_key]
        return {
            action: {field.attname: found for field in free for found in [value(field)] if found is not NotKnown}
            for action, value in kinds.items()
        }

    def choices(self) -> Dict[str, Dict[str, Any]]:
        """One change for each choice of each field that has some, by what is done; they are told by their number."""
        found = {
            "insert choice %d of %s" % (number, field.name): {field.attname: value}
            for field in self._fields
            if field.choices and not field.primary_key
            for number, (value, _) in enumerate(field.flatchoices, 1)
        }
        return dict(list(found.items())[:MOST_CHOICES])

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

    def _keeps_to(self, checks: List[Any], order: int) -> bool:
        """Whether a row in whose values grow from field to field, or shrink, keeps to the model's own checks.

        Not whether the server lets it in: that is to be found out, on the old schema and on the new.
        """
        from django.db import transaction

        self._order = order
        try:
            with transaction.atomic(using=self._alias):
                row = self._model(**self._values())
                transaction.set_rollback(True, using=self._alias)
            for check in checks:
                check.validate(self._model, row, using=self._alias)
        except Exception:
            return False
        return True

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
        apart = Apart()
        for field in self._fields:
            if field.attname in self._unique or (field.primary_key and not field.remote_field):
                values[field.attname] = self._another(field, values[field.attname], apart)
        return values

    def _existing(self) -> Optional[Dict[str, Any]]:
        """Columns of the model's own table, as the driver gives them to this code."""
        names = [field.attname for field in self._meta.local_concrete_fields]
        rows = self._model._base_manager.using(self._alias).order_by().values(*names)[:1]
        return next(iter(rows), None)

    def _unique_fields(self) -> Set[str]:
        """Attnames of which a new row needs a value of its own: one of each constraint."""
        found = {field.attname for field in self._fields if field.unique and not field.primary_key}
        own = {field.name: field for field in self._fields}
        for names in self._unique_groups():
            fields = [own[name] for name in names if name in own]
            if fields and not any(field.attname in found for field in fields):
                found.add(min(fields, key=lambda field: (reluctance(field), field.null)).attname)
        for constraint in self._meta.constraints:
            found |= {own[name].attname for name in _kept_apart(constraint, own) if name in own}
        return found

    def _unique_groups(self) -> Iterator[List[str]]:
        """Names of fields that are unique together, those within expressions too."""
        keys = getattr(self._meta, "pk_fields", ())  # several: Django 5.2
        if len(keys) > 1:
            yield [field.name for field in keys]
        yield from (list(group) for group in self._meta.unique_together)
        for constraint in self._meta.constraints:
            if type(constraint).__name__ == "UniqueConstraint":
                expressions = getattr(constraint, "expressions", None) or ()
                yield [*(constraint.fields or ()), *(name for one in expressions for name in _names_in(one))]

    def _another(self, field: Any, value: Any, apart: Apart) -> Any:
        """A value that no row has."""
        if field.remote_field is not None:
            return Sample(field.remote_field.model, self._alias, self._depth + 1).insert()
        return apart.from_value(field, value, lambda: self._manager_max(field))

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
        return plainest(field, self._order * (self._fields.index(field) + 1) % (len(self._fields) + 1))

    def _parent(self, field: Any) -> Any:
        parent = field.remote_field.model
        found = (
            parent._base_manager.using(self._alias).order_by().values_list(field.target_field.attname, flat=True)[:1]
        )
        there = next(iter(found), None)
        if there is not None or self._depth >= DEEPEST:
            return there
        return Sample(parent, self._alias, self._depth + 1).insert()

    def _null(self, field: Any) -> Any:
        return None if field.null else NotKnown

    def _longest(self, field: Any) -> Any:
        """The longest text and the largest number that the field takes."""
        kind, unique = field.get_internal_type(), field.attname in self._unique
        if field.choices or field.remote_field is not None:
            return NotKnown
        if kind in ("CharField", "SlugField", "TextField"):
            length = field.max_length or (LONG if kind == "TextField" and not unique else 0)
            return (unlike_others(length) if unique else "x" * length) if length else NotKnown
        if unique:
            return NotKnown
        if kind.endswith("IntegerField"):
            return self._range(kind)[1]
        if kind == "DecimalField":
            return decimal.Decimal(10 ** (field.max_digits - field.decimal_places) - 1)
        return NotKnown

    def _least(self, field: Any) -> Any:
        """Empty text and the smallest number that the field takes."""
        kind = field.get_internal_type()
        if field.choices or field.remote_field is not None or field.attname in self._unique:
            return NotKnown
        if kind in ("CharField", "TextField") and field.blank:
            return ""
        if kind.endswith("IntegerField"):
            return self._range(kind)[0]
        return NotKnown

    def _dangling(self, field: Any) -> Any:
        """A key of no row, where the model has a relation without a constraint."""
        loose = field.remote_field is not None and not getattr(field, "db_constraint", True)
        return NO_ROW if loose and field.attname not in self._unique else NotKnown

    def _range(self, kind: str) -> Tuple[Any, Any]:
        from django.db import connections

        least, most = connections[self._alias].ops.integer_field_range(kind)
        return least, most


def _is_automatic(field: Any) -> bool:
    return field.get_internal_type() in ("AutoField", "BigAutoField", "SmallAutoField")


def _names_in(expression: Any) -> Iterator[str]:
    """Fields that an expression reads."""
    if isinstance(expression, str):
        yield expression.split("__")[0]
    elif type(expression).__name__ == "F":
        yield expression.name.split("__")[0]
    elif hasattr(expression, "get_source_expressions"):
        for part in expression.get_source_expressions():
            yield from _names_in(part)


def _kept_apart(constraint: Any, own: Dict[str, Any]) -> List[str]:
    """Fields that a new row needs others of, to be let in by an ExclusionConstraint: an equal one, or all of them."""
    if type(constraint).__name__ != "ExclusionConstraint":
        return []
    compared = [name for one, operator in constraint.expressions if operator == "=" for name in _names_in(one)]
    equal = [name for name in compared if name in own and reluctance(own[name]) < 2]
    if equal:
        return [min(equal, key=lambda name: reluctance(own[name]))]
    return [name for one, _ in constraint.expressions for name in _names_in(one)]
