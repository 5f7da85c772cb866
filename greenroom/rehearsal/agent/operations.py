"""One operation of a migration: what it runs, what it names, and what its field is like."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, List, Optional, Tuple


def nested_in(operation: Any) -> Optional[List[Any]]:
    """The operations that this one runs instead of itself: SeparateDatabaseAndState and its like."""
    nested = getattr(operation, "database_operations", None)
    return list(nested) if isinstance(nested, (list, tuple)) else None


def flatten(operations: Iterable[Any]) -> Iterator[Any]:
    """Operations in execution order, as the plan counts them."""
    for operation in operations:
        nested = nested_in(operation)
        if nested is None:
            yield operation
        else:
            yield from flatten(nested)


def model_of(operation: Any) -> Optional[str]:
    """The model that the operation changes, in lower case, by the name that it has before."""
    from django.db.migrations.operations.models import ModelOperation

    if isinstance(operation, ModelOperation):
        name = getattr(operation, "old_name", operation.name)
    else:
        name = getattr(operation, "model_name", None)
    return name.lower() if isinstance(name, str) else None


def field_of(model: Any, operation: Any) -> Any:
    """The field that the operation names, as the model's state has it: under the old name or the new."""
    if model is None or not isinstance(getattr(operation, "model_name", None), str):
        return None
    names = (getattr(operation, name, None) for name in ("old_name", "name", "new_name"))
    return next((model.fields[name] for name in names if name in model.fields), None)


def name_of(operation: Any) -> Optional[str]:
    """Of the field, index, constraint or extension."""
    from django.db.migrations.operations.models import ModelOperation

    if isinstance(operation, ModelOperation):
        return None
    carrier = getattr(operation, "index", None) or getattr(operation, "constraint", None) or operation
    name = getattr(carrier, "old_name", None) or getattr(carrier, "name", None)
    return name if isinstance(name, str) else None


def traits(operation: Any, field: Any) -> List[str]:
    """What hazards need to know of the field or constraint and the SQL does not show."""
    constraint = type(getattr(operation, "constraint", None)).__name__
    traits = {
        "unique": constraint == "UniqueConstraint",
        "check": constraint == "CheckConstraint",
        "exclusion": constraint == "ExclusionConstraint",
        "index": hasattr(operation, "index"),
    }
    if field is not None:
        from django.db.models import NOT_PROVIDED

        to_one = bool(field.many_to_one or field.one_to_one)
        traits.update(
            {
                "default": field.has_default(),
                "callable default": field.has_default() and callable(field.default),
                "db default": getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED,
                "generated": bool(getattr(field, "generated", False)),
                "primary key": field.primary_key,
                "unique": field.unique,
                "index": field.db_index and not field.unique,
                "foreign key": to_one and getattr(field, "db_constraint", True),
                "many to many": bool(field.many_to_many),
                "not null": not field.null,
                "check": field.get_internal_type().startswith("Positive"),
            }
        )
    return [word for word, holds in traits.items() if holds]


def reference(model: Any, field: Any) -> Optional[Tuple[str, str]]:
    """(app, model) that a foreign key or many-to-many field of a model's state points to."""
    from django.db.migrations.utils import resolve_relation

    remote = getattr(field, "remote_field", None)
    if not getattr(remote, "model", None) or not (field.many_to_one or field.one_to_one or field.many_to_many):
        return None
    return resolve_relation(remote.model, model.app_label, model.name_lower)  # type: ignore[union-attr]
