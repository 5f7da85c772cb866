"""Values in a row that code which knows only the model's present fields does not expect."""

from __future__ import annotations

from typing import Any


class Unknown(Exception):
    """A value that the field does not allow; the message is what kind of value."""

    def __init__(self, column: str, what: str) -> None:
        super().__init__(what)
        self.column = column


class UnexpectedNull(Unknown):
    pass


class UnknownChoice(Unknown):
    pass


class OutOfRange(Unknown):
    pass


def refuse_unknown(field: Any, value: Any) -> None:
    """Raises Unknown for what code that knows only this field does not expect."""
    if value is None:
        if not field.null:
            raise UnexpectedNull(field.column, "NULL")
    elif field.choices:
        if value not in [choice for choice, _ in field.flatchoices] and value not in field.empty_values:
            raise UnknownChoice(field.column, "a choice")
    elif isinstance(value, int) and field.get_internal_type().endswith("IntegerField"):
        from django.db import connection

        least, most = connection.ops.integer_field_range(field.get_internal_type())
        if (least is not None and value < least) or (most is not None and value > most):
            raise OutOfRange(field.column, "a number")
