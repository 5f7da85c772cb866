"""What the app's code does to its tables, tried model by model: every try in a transaction that is taken back.

Through each model's base manager and below save() and delete(): no override, no signal, no file is touched. It tells
what was tried and with which SQLSTATE it failed, never a value.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Optional

from .events import Events
from .failures import diagnosis, refusing_table
from .origin import is_installed
from .sample import NotKnown, Sample
from .unknown import Unknown, refuse_unknown

TRY, WRITE, UNDERSTAND = "try", "write", "understand"  # what a request may ask for
ROWS = 50  # of each model that are read
PLACE = """
    SELECT n.nspname || '.' || c.relname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = pg_catalog.to_regclass(%s)"""
CHECK_NOW = "SET CONSTRAINTS ALL IMMEDIATE"


class Exercise:
    """All concrete models of one alias."""

    def __init__(self, wrapper: Any, events: Events) -> None:
        self._wrapper, self._alias, self._events = wrapper, wrapper.alias, events

    def run(self, asked: str, written: Optional[Dict[str, List[Any]]] = None) -> None:
        """TRY everything and take it back; WRITE what this code may write, leave it, and tell its keys; or only
        UNDERSTAND the rows with these keys, by table."""
        _hear_no_signals()
        if asked == WRITE:
            return self._write()
        for model in self._models():
            self._facts = self._facts_of(model)
            if asked == TRY:
                self._try_all(model)
            else:
                keys = (written or {}).get(keyed(model), [])
                self._try("understand", partial(self._understand, model, keys))
        if asked == TRY:
            self._content_types()
        return None

    def _try_all(self, model: Any) -> None:
        sample = Sample(model, self._alias)
        self._try("read", partial(self._read, model))
        self._try("understand", partial(self._understand, model))
        for name, query in self._look_ups(model, sample):
            self._explain(name, query)
        if not self._is_writable(model):
            return
        ordinary = self._try("insert", sample.insert)
        for action, changes in sample.edges().items():
            self._try_edge(action, sample, changes, ordinary)
        for action, changes in sample.choices().items() if ordinary else ():
            self._try(action, partial(sample.with_values, changes))
        self._try("update", partial(self._update, model, sample))
        self._try("delete", partial(self._delete, model, sample))

    def _try_edge(self, action: str, sample: Sample, changes: Dict[str, Any], ordinary: bool) -> None:
        """All fields at once. Where that is refused and an `ordinary` row is not, each on its own: one hides others."""
        well = not changes or self._try(action, partial(sample.with_values, changes))
        if ordinary and not well and len(changes) > 1:
            for attname, value in changes.items():
                self._try("%s in %s" % (action, attname), partial(sample.with_values, {attname: value}))

    def _models(self) -> List[Any]:
        from django.apps import apps
        from django.db import router

        return [
            model
            for model in apps.get_models(include_auto_created=True)
            if not model._meta.proxy and not model._meta.swapped and router.allow_migrate_model(self._alias, model)
        ]

    def _facts_of(self, model: Any) -> Dict[str, Any]:
        return facts(model, self._place)

    def _place(self, table: str) -> str:
        """`schema.table`, as the search path finds it now; as the model has it, where it finds none."""
        with self._wrapper.cursor() as cursor:
            cursor.execute(PLACE, [self._wrapper.ops.quote_name(table)])
            found = cursor.fetchone()
        return found[0] if found else table

    def _is_writable(self, model: Any) -> bool:
        """Not a view or a foreign table; a managed model is written whatever its table is."""
        if model._meta.managed:
            return True
        with self._wrapper.cursor() as cursor:
            table = self._wrapper.ops.quote_name(model._meta.db_table)
            cursor.execute("SELECT relkind FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass(%s)", [table])
            kind = cursor.fetchone()
        return bool(kind) and kind[0] in ("r", "p")

    def _write(self) -> None:
        """Ordinary rows and those at the edges, model by model; what the server refuses is no matter here."""
        for model in self._models():
            if self._is_writable(model):
                sample = Sample(model, self._alias)
                keys = [
                    key for changes in _changes(sample) for key in self._leave(partial(sample.with_values, changes))
                ]
                self._events.send("wrote", table=keyed(model), keys=keys)

    def _leave(self, write: Callable[[], Any]) -> List[Any]:
        """The key of the row, where it was let in."""
        from django.db import transaction

        with suppress(Exception):
            with transaction.atomic(using=self._alias):
                key = write()
            return [key]
        return []

    def _understand(self, model: Any, keys: Optional[List[Any]] = None) -> None:
        """Rows hold nothing that the model's fields do not allow: those with these keys, else the first that come."""
        rows = model._base_manager.using(self._alias).order_by()
        if keys is not None:
            rows = rows.filter(pk__in=[tuple(key) if isinstance(key, list) else key for key in keys])
        found = list(rows if keys is not None else rows[:ROWS])
        for field in model._meta.local_concrete_fields:
            for row in found:
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

    def _look_ups(self, model: Any, sample: Sample) -> Iterator[Any]:
        """The first page in the model's own order, and the rows of one parent for each foreign key."""
        manager = model._base_manager.using(self._alias)
        if model._meta.ordering:
            yield "its first page in order", manager.order_by(*model._meta.ordering)[:20]
        for field in model._meta.local_concrete_fields:
            value = sample.value_of(field) if field.many_to_one else None
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
            self._facts = {**self._facts_of(model), "columns": [], "inherited": {}}
            if not meta.auto_created:
                look_up = kinds._base_manager.using(self._alias).get
                self._try("content type", partial(look_up, app_label=meta.app_label, model=meta.model_name))

    def _explain(self, name: str, query: Any) -> None:
        """Which tables the server would read from end to end."""
        with self._taken_back():
            try:
                plan = json.loads(query.explain(format="json", verbose=True))
                self._tell("look up " + name, scans=sorted(set(scanned(plan[0]["Plan"]))))
            except Exception as error:
                self._failed("look up " + name, error)

    def _try(self, action: str, work: Callable[[], Any]) -> bool:
        """Whether it went well."""
        with self._taken_back():
            try:
                if work() is NotKnown:
                    return True
                with self._wrapper.cursor() as cursor:
                    cursor.execute(CHECK_NOW)
            except Exception as error:
                self._failed(action, error)
            else:
                self._tell(action)
                return True
        return False

    def _failed(self, action: str, error: BaseException) -> None:
        found = diagnosis(error)
        about = {key: found.get(key) for key in ("sqlstate", "column", "constraint")}
        about["at"] = refusing_table(error)
        if isinstance(error, Unknown):
            about["column"] = error.column
        self._tell(action, exception=type(error).__name__, **about)

    def _tell(self, action: str, **facts: Any) -> None:
        nothing: Dict[str, Any] = dict.fromkeys(("exception", "sqlstate", "at", "column", "constraint"))
        nothing["scans"] = []
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


def _hear_no_signals() -> None:
    """Of a model that is made in memory: of these no handler may open a file or fail. Others are never sent."""
    from django.db.models.signals import post_init, pre_init

    for signal in (pre_init, post_init):
        signal.receivers = []
        signal.sender_receivers_cache.clear()


def facts(model: Any, place: Callable[[str], str]) -> Dict[str, Any]:
    """Who it is, and which columns it has: in its own table, and in those of its parents, `place` says where."""
    meta = model._meta
    return {
        "model": meta.label,
        "table": place(meta.db_table),
        "managed": meta.managed,
        "own": not is_installed(getattr(sys.modules.get(model.__module__), "__file__", None) or ""),
        "columns": columns(model),
        "kinds": {field.column: field.get_internal_type() for field in meta.local_concrete_fields},
        "inherited": {place(parent._meta.db_table): columns(parent) for parent in meta.parents},
    }


def keyed(model: Any) -> str:
    """The table and what its rows are told by: another model of the table may know them by another column."""
    keys = getattr(model._meta, "pk_fields", [model._meta.pk])  # several: Django 5.2
    return "%s (%s)" % (model._meta.db_table, ", ".join(field.column for field in keys))


def columns(model: Any) -> List[str]:
    """Of the model's own table."""
    return [field.column for field in model._meta.local_concrete_fields]


def _changes(sample: Sample) -> Iterator[Dict[str, Any]]:
    """What a release may write: an ordinary row, all edges at once and one by one, and each choice."""
    yield {}
    for changes in sample.edges().values():
        yield changes
        yield from ({attname: value} for attname, value in changes.items())
    yield from sample.choices().values()


def scanned(plan: Dict[str, Any]) -> Iterator[str]:
    """Tables under a sequential scan, anywhere in a plan."""
    if plan.get("Node Type") == "Seq Scan":
        yield "%s.%s" % (plan["Schema"], plan["Relation Name"])
    for part in plan.get("Plans", ()):
        yield from scanned(part)
