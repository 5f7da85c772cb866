"""Migrations and their operations, as they begin and end."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Set, Tuple

from .events import Events
from .halt import Halt
from .operations import flatten
from .session import raw_cursor
from .twin_bounds import LIMITS, is_bound
from .watch import Watch


class Steps:
    """Migrations and their operations as Django's executor goes through them."""

    def __init__(self, alias: str, events: Events, watch: Watch, halt: Halt, keeps: bool = False) -> None:
        self._keeps = keeps
        self.performed: Dict[str, Dict[int, List[str]]] = {}  # what the schema editor ran, by migration and operation
        self.bound: Dict[str, Dict[int, List[str]]] = {}  # what has an effect on the operations after it
        self.limits: Dict[str, Dict[str, str]] = {}  # in force when the migration began
        self._bound: Dict[int, List[str]] = {}
        self.failed_operation: Optional[int] = None
        self._alias, self._events, self._watch, self._halt = alias, events, watch, halt
        self._queued: Dict[int, Tuple[Any, int]] = {}  # deferred SQL by identity, and the operation that queued it
        self._queried: Set[Tuple[int, str]] = set()  # operations of the migration, and models of the code

    def install(self) -> None:
        from django.db.migrations.executor import MigrationExecutor

        executor: Any = MigrationExecutor
        executor.apply_migration = self._stepped(executor.apply_migration, backwards=False)
        executor.unapply_migration = self._stepped(executor.unapply_migration, backwards=True)
        if self._keeps:
            self._watch.heard = self._hear
        self._notice_models()

    def _notice_models(self) -> None:
        """Tell which models an operation queries as the code has them: a migration's own are of another registry."""
        from django.apps import apps
        from django.db.models.sql import Query

        get_compiler = Query.get_compiler

        def noticed(query: Any, *arguments: Any, **words: Any) -> Any:
            operation, about = self._watch.operation, getattr(query.model, "_meta", None)
            if operation is not None and about and about.apps is apps and (operation, about.label) not in self._queried:
                self._queried.add((operation, about.label))
                self._events.send("model", operation=operation, model=about.label)
            return get_compiler(query, *arguments, **words)

        Query.get_compiler = noticed  # type: ignore[assignment,method-assign]

    def _stepped(self, run: Callable[..., Any], backwards: bool) -> Callable[..., Any]:
        steps = self

        def stepped(executor: Any, state: Any, migration: Any, *arguments: Any, **words: Any) -> Any:
            if executor.connection.alias != steps._alias:
                return run(executor, state, migration, *arguments, **words)
            if steps._keeps:
                steps._read_limits(executor.connection, migration)
            with steps._migration(migration, backwards):
                return run(executor, state, migration, *arguments, **words)

        return stepped

    def _read_limits(self, wrapper: Any, migration: Any) -> None:
        if wrapper.connection is None or wrapper.in_atomic_block or not wrapper.get_autocommit():
            return
        with raw_cursor(wrapper.connection) as cursor:
            cursor.execute("SELECT %s" % ", ".join("pg_catalog.current_setting('%s')" % name for name in LIMITS))
            self.limits["%s.%s" % (migration.app_label, migration.name)] = dict(zip(LIMITS, cursor.fetchone()))

    def _hear(self, text: str) -> None:
        if self._watch.operation is not None and is_bound(text):
            self._bound.setdefault(self._watch.operation, []).append(text)

    @contextmanager
    def _migration(self, migration: Any, backwards: bool) -> Iterator[None]:
        """Operations are told on the way forward; on the way back they run in another order, and one may run twice."""
        name = {"app": migration.app_label, "name": migration.name}
        self._events.send("migration_start", **name, atomic=migration.atomic)
        self._queued.clear()
        self._queried.clear()
        label = "%s.%s" % (migration.app_label, migration.name)
        self._ran, self._bound = self.performed.setdefault(label, {}), self.bound.setdefault(label, {})
        operations = [] if backwards else self._mark(migration)
        self._halt.migration_begins(label)
        status = "failed"
        try:
            yield
            status = "applied"
        finally:
            for operation in operations:
                del operation.database_forwards
            self._events.send("migration_end", **name, status=status)

    def _mark(self, migration: Any) -> List[Any]:
        """Make every operation say when it runs. One object may stand in a migration twice."""
        places: Dict[int, Tuple[Any, Deque[int]]] = {}
        for index, operation in enumerate(flatten(migration.operations)):
            places.setdefault(id(operation), (operation, deque()))[1].append(index)
        for operation, indexes in places.values():
            operation.database_forwards = self._marked(operation.database_forwards, indexes)
        return [operation for operation, _ in places.values()]

    def _marked(self, run: Any, indexes: Deque[int]) -> Callable[..., Any]:
        def forwards(app: str, editor: Any, before: Any, after: Any) -> Any:
            index = indexes.popleft()
            if "execute" not in vars(editor):
                editor.execute = self._attributed(editor)
            queued = {id(sql) for sql in editor.deferred_sql}
            with self._operation(index):
                result = run(app, editor, before, after)
            self._queued.update((id(sql), (sql, index)) for sql in editor.deferred_sql if id(sql) not in queued)
            return result

        return forwards

    def _attributed(self, editor: Any) -> Callable[..., Any]:
        """SQL that the schema editor has put off to the migration's end belongs to the operation that queued it."""
        execute, compose = editor.execute, editor.connection.ops.compose_sql

        def executed(sql: Any, params: Any = (), *more: Any, **words: Any) -> Any:
            owner = self._queued.get(id(sql)) if self._watch.operation is None else None
            operation = owner[1] if owner else self._watch.operation
            if self._keeps and operation is not None:
                text = str(sql) if params is None else str(compose(str(sql), params))
                self._ran.setdefault(operation, []).append(text)
            if owner is None:
                return execute(sql, params, *more, **words)
            with self._operation(owner[1]):
                return execute(sql, params, *more, **words)

        return executed

    @contextmanager
    def _operation(self, index: int) -> Iterator[None]:
        self._watch.operation = index
        try:
            yield
        except BaseException:
            self.failed_operation = index
            raise
        finally:
            self._watch.operation = None
