"""What the app's code does to its tables, tried model by model: every try in a transaction that is taken back.

Through each model's base manager and below save() and delete(): no override, no signal, no file is touched. It tells
what was tried and with which SQLSTATE it failed, never a value.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Callable, Dict, Iterator, List

from .events import Events
from .failures import diagnosis
from .sample import NotKnown, Sample

TRY, WRITE, UNDERSTAND = "try", "write", "understand"  # what a request may ask for
ROWS = 50  # of each model that are read
CHECK_NOW = "SET CONSTRAINTS ALL IMMEDIATE"


class Exercise:
    """All concrete models of one alias."""

    def __init__(self, wrapper: Any, events: Events) -> None:
        self._wrapper, self._alias, self._events = wrapper, wrapper.alias, events

    def run(self, asked: str) -> None:
        """TRY everything and take it back; WRITE what this code may write, and leave it; or only UNDERSTAND rows."""
        if asked == WRITE:
            return self._write()
        for model in self._models():
            self._facts = {"model": model._meta.label, "table": model._meta.db_table, "columns": columns(model)}
            self._try("understand", partial(self._understand, model))
            if asked == TRY:
                self._try_all(model)
        if asked == TRY:
            self._content_types()
        return None

    def _try_all(self, model: Any) -> None:
        sample = Sample(model, self._alias)
        self._try("read", partial(self._read, model))
        self._try("insert", sample.insert)
        for action, variation in (
            ("insert NULLs", sample.with_nulls),
            ("insert the longest", sample.with_longest),
            ("insert the least", sample.with_least),
            ("insert a dangling key", sample.with_dangling_keys),
        ):
            self._try(action, variation)
        self._try("update", partial(self._update, model, sample))
        self._try("delete", partial(self._delete, model, sample))
        for name, query in self._look_ups(model):
            self._explain(name, query)

    def _models(self) -> List[Any]:
        from django.apps import apps
        from django.db import router

        return [
            model
            for model in apps.get_models(include_auto_created=True)
            if model._meta.managed
            and not model._meta.proxy
            and not model._meta.swapped
            and router.allow_migrate_model(self._alias, model)
        ]

    def _write(self) -> None:
        """Ordinary rows and those at the edges, model by model; what the server refuses is no matter here."""
        for model in self._models():
            sample = Sample(model, self._alias)
            for write in (sample.insert, sample.with_nulls, sample.with_longest, sample.with_least):
                self._leave(write)
            for change in sample.choices():
                self._leave(partial(sample.with_values, change))

    def _leave(self, write: Callable[[], Any]) -> None:
        from django.db import transaction

        with suppress(Exception), transaction.atomic(using=self._alias):
            write()

    def _understand(self, model: Any) -> None:
        """The newest rows hold nothing that the model's fields do not allow."""
        newest = list(model._base_manager.using(self._alias).order_by("-pk")[:ROWS])
        for field in model._meta.local_concrete_fields:
            for row in newest:
                refuse_unknown(field, getattr(row, field.attname))

    def _read(self, model: Any) -> None:
        list(model._base_manager.using(self._alias).order_by()[:ROWS])

    def _update(self, model: Any, sample: Sample) -> None:
        """Every column of a row, with the value that it has."""
        pk, values = sample.row()
        names = {field.attname: field.name for field in model._meta.concrete_fields}
        changes = {names[attname]: value for attname, value in values.items() if attname in sample.writable}
        if changes:
            model._base_manager.using(self._alias).filter(pk=pk).update(**changes)

    def _delete(self, model: Any, sample: Sample) -> None:
        """A row that nobody refers to yet."""
        pk = sample.insert()
        model._base_manager.using(self._alias).filter(pk=pk)._raw_delete(self._alias)

    def _look_ups(self, model: Any) -> Iterator[Any]:
        """The first page in the model's own order, and the rows of one parent for each foreign key."""
        manager = model._base_manager.using(self._alias)
        if model._meta.ordering:
            yield "its first page in order", manager.order_by(*model._meta.ordering)[:20]
        for field in model._meta.local_concrete_fields:
            value = Sample(model, self._alias).value_of(field) if field.many_to_one else None
            if value is not None:
                yield "by " + field.name, manager.order_by().filter(**{field.attname: value})

    def _content_types(self) -> None:
        """Rows that the code looks itself up by: generic relations and permissions hang on them."""
        from django.apps import apps

        if not apps.is_installed("django.contrib.contenttypes"):
            return
        kinds: Any = apps.get_model("contenttypes", "ContentType")
        for model in self._models():
            meta = model._meta
            self._facts = {"model": meta.label, "table": meta.db_table, "columns": []}
            if not meta.auto_created:
                look_up = kinds._base_manager.using(self._alias).get
                self._try("content type", partial(look_up, app_label=meta.app_label, model=meta.model_name))

    def _explain(self, name: str, query: Any) -> None:
        """Which tables the server would read from end to end."""
        with self._taken_back():
            try:
                plan = json.loads(query.explain(format="json"))
                self._tell("look up " + name, scans=sorted(set(scanned(plan[0]["Plan"]))))
            except Exception as error:
                self._failed("look up " + name, error)

    def _try(self, action: str, work: Callable[[], Any]) -> None:
        with self._taken_back():
            try:
                if work() is NotKnown:
                    return
                with self._wrapper.cursor() as cursor:
                    cursor.execute(CHECK_NOW)
            except Exception as error:
                self._failed(action, error)
            else:
                self._tell(action)

    def _failed(self, action: str, error: BaseException) -> None:
        found = diagnosis(error)
        about = {key: found.get(key) for key in ("sqlstate", "column", "constraint")}
        if isinstance(error, Unknown):
            about["column"] = error.column
        self._tell(action, exception=type(error).__name__, **about)

    def _tell(self, action: str, **facts: Any) -> None:
        nothing: Dict[str, Any] = {"exception": None, "sqlstate": None, "column": None, "constraint": None, "scans": []}
        self._events.send("tried", action=action, **self._facts, **{**nothing, **facts})

    @contextmanager
    def _taken_back(self) -> Iterator[None]:
        from django.db import transaction

        try:
            with transaction.atomic(using=self._alias):
                yield
                transaction.set_rollback(True, using=self._alias)
        except Exception as error:
            self._events.note("A transaction of the exercise could not be taken back: %s." % type(error).__name__)
            self._wrapper.close()


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


def columns(model: Any) -> List[str]:
    """Of the model's own table."""
    return [field.column for field in model._meta.local_concrete_fields]


def scanned(plan: Dict[str, Any]) -> Iterator[str]:
    """Tables under a sequential scan, anywhere in a plan."""
    if plan.get("Node Type") == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from scanned(part)
