"""What is going to run: the pending migrations, described without running them."""

from __future__ import annotations

import hashlib
import sys
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from .events import Stop
from .operations import field_of, model_of, name_of, nested_in, reference, traits
from .session import raw_cursor


class Planner:
    """The pending migrations, their operations in execution order, and the tables that these concern.

    With `undo`, a list of applied `app.name`: these, newest first, on the way back.
    """

    def __init__(self, wrapper: Any, targets: List[str], undo: Sequence[str] = ()) -> None:
        from django.db.migrations.executor import MigrationExecutor

        self._executor: Any = MigrationExecutor(wrapper)
        self._loader = self._executor.loader
        self._wrapper = wrapper
        self._loader.check_consistent_history(wrapper)
        self._conflicts = {app: sorted(names) for app, names in self._loader.detect_conflicts().items()}
        self._undo = bool(undo)
        resolved = [self._resolve(target) for target in targets] or list(self._before(undo))
        self.arguments = [arguments for arguments, _ in resolved]  # of the migrate command, once for each target
        self._nodes = [nodes for _, nodes in resolved] or [self._loader.graph.leaf_nodes()]
        self.tables: Dict[str, None] = {}  # in the order in which they are met

    def pending(self) -> List[Any]:
        """Migrations in the order in which Django will apply them. Raises Stop for a plan that goes backwards."""
        if self._conflicts:
            return []  # `migrate` will refuse to begin
        if self._undo:
            starts = [node for nodes in self._nodes for node in nodes]
            return [migration for migration, _ in self._executor.migration_plan(starts)]
        everything = self._executor.migration_plan(self._loader.graph.leaf_nodes(), clean_start=True)
        place = {migration: number for number, (migration, _) in enumerate(everything)}
        found: Dict[Any, None] = {}
        for nodes in self._nodes:
            plan = self._executor.migration_plan(nodes)
            back = [migration for migration, backwards in plan if backwards]
            if back:
                wanted = "%s.%s" % (nodes[0][0], nodes[0][1] or "zero")
                raise Stop("%s would migrate backwards (%s is applied); rehearse what is pending." % (wanted, back[0]))
            ordered = sorted((migration for migration, _ in plan), key=lambda one: place.get(one, len(place)))
            found.update(dict.fromkeys(ordered))
        return list(found)

    def describe(self) -> Dict[str, Any]:
        """The `plan` event. Nothing is run: the project's state is moved along without a database."""
        pending = self.pending()
        forward = self._executor._create_project_state(with_applied_migrations=True)
        with raw_cursor(self._wrapper.connection) as cursor:
            cursor.execute(
                "SELECT relname, nspname || '.' || relname"
                " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace"
                " WHERE relkind IN ('r', 'p', 'm', 'v') AND pg_catalog.pg_table_is_visible(c.oid)"
                " UNION ALL SELECT '', pg_catalog.current_schema()"
            )
            self._visible = dict(cursor.fetchall())
        migrations = [
            {
                "app": migration.app_label,
                "name": migration.name,
                "atomic": migration.atomic,
                "sha256": _hash_source(migration),
                "operations": [
                    {"index": index, **operation}
                    for index, operation in enumerate(
                        self._walk(migration.app_label, migration.operations, self._state(migration, forward))
                    )
                ],
            }
            for migration in pending
        ]
        applied = sorted("%s.%s" % key for key in self._loader.applied_migrations)
        tables = list(self.tables)
        return {"migrations": migrations, "applied": applied, "tables": tables, "conflicts": self._conflicts}

    def _resolve(self, target: str) -> Tuple[Tuple[str, ...], List[Any]]:
        """`app` or `app.name` as arguments of the migrate command, and the graph's nodes that they stand for."""
        from django.db.migrations.exceptions import AmbiguityError

        app, _, prefix = target.partition(".")
        if app not in self._loader.migrated_apps:
            raise Stop("The project has no app %s with migrations." % app)
        if not prefix:
            return (app,), [key for key in self._loader.graph.leaf_nodes() if key[0] == app]
        if prefix == "zero":
            return (app, prefix), [(app, None)]
        try:
            name = self._loader.get_migration_by_prefix(app, prefix).name
        except AmbiguityError:
            raise Stop("More than one migration of %s begins with %s: write its whole name." % (app, prefix)) from None
        except KeyError:
            raise Stop("The app %s has no migration that begins with %s." % (app, prefix)) from None
        node = (app, name)
        if node not in self._loader.graph.nodes and node in self._loader.replacements:
            node = self._loader.replacements[node].replaces[-1]  # squashed and partly applied: as `migrate` does
        return (app, name), [node]

    def _before(self, undo: Sequence[str]) -> Iterator[Tuple[Tuple[str, ...], List[Any]]]:
        """For each app the state from before these migrations: arguments of the migrate command, and the node."""
        gone = {tuple(name.split(".", 1)) for name in undo}
        for app in dict.fromkeys(name.split(".", 1)[0] for name in undo):
            nodes = [self._loader.graph.node_map[key] for key in gone if key[0] == app]
            parents = {parent.key for node in nodes for parent in node.parents if parent.key[0] == app}
            left = sorted(parents - gone)
            yield (app, left[-1][1] if left else "zero"), [left[-1] if left else (app, None)]

    def _state(self, migration: Any, forward: Any) -> Any:
        """The project's state before a migration; on the way forward one state goes from each to the next."""
        if not self._undo:
            return forward
        return self._loader.project_state([(migration.app_label, migration.name)], at_end=False)

    def _walk(self, app: str, operations: Iterable[Any], state: Any) -> Iterator[Dict[str, Any]]:
        for operation in operations:
            nested = nested_in(operation)
            if nested is not None:
                yield from self._walk(app, nested, state.clone())
                operation.state_forwards(app, state)
            else:
                yield self._describe(app, operation, state)

    def _describe(self, app: str, operation: Any, state: Any) -> Dict[str, Any]:
        """One operation; moves `state` past it."""
        model = model_of(operation)
        before = state.models.get((app, model))
        old = field_of(before, operation)
        touched = self._tied(state, before, operation, old)
        operation.state_forwards(app, state)
        new = field_of(state.models.get((app, model)), operation)
        touched += self._tied(state, state.models.get((app, model)), operation, new)
        table = self._table(before or state.models.get((app, model)))
        self.tables.update(dict.fromkeys(name for name in [table, *touched] if name))
        return {
            "kind": type(operation).__name__,
            "description": operation.describe(),
            "table": table,
            "name": name_of(operation),
            "field": type(new or old).__name__ if new or old else None,
            "reversible": bool(operation.reversible),
            "traits": [*traits(operation, new), *("was " + word for word in traits(None, old))],
        }

    def _tied(self, state: Any, model: Any, operation: Any, field: Any) -> List[Optional[str]]:
        """Tables that the operation concerns beside the model's own, by foreign keys from it and to it."""
        from django.db.migrations.operations import CreateModel, DeleteModel, RenameModel

        if model is None:
            return []
        whole = isinstance(operation, (CreateModel, DeleteModel, RenameModel))
        fields = model.fields.items() if whole else [(name_of(operation), field)]
        tables = []
        for name, each in fields:
            key = reference(model, each)
            if key:
                tables.append(self._table(state.models.get(key)))
                if each.many_to_many and not each.remote_field.through:
                    tables.append(each.db_table or "%s_%s" % (self._table(model), name))
        if isinstance(operation, RenameModel) or (field is not None and field.unique):
            tables += self._referring(state, model)
        return tables

    def _referring(self, state: Any, model: Any) -> List[Optional[str]]:
        wanted = (model.app_label, model.name_lower)
        others = state.models.values()
        return [self._table(one) for one in others if wanted in (reference(one, each) for each in one.fields.values())]

    def _table(self, model: Any) -> Optional[str]:
        """`schema.table` of a model's state, also where db_table carries a schema of its own (`app"."table`)."""
        from django.db.backends.utils import truncate_name

        if model is None or model.options.get("proxy"):
            return None
        name = model.options.get("db_table") or "%s_%s" % (model.app_label, model.name_lower)
        if '"."' in name:
            return name.strip('"').replace('"."', ".")
        name = truncate_name(name.strip('"'), self._wrapper.ops.max_name_length())
        return self._visible.get(name) or "%s.%s" % (self._visible.get("") or "public", name)


def _hash_source(migration: Any) -> str:
    """SHA-256 of the migration's file; of its name, where it has no file (an archive, a compiled module)."""
    try:
        with open(sys.modules[type(migration).__module__].__file__ or "", "rb") as source:
            return hashlib.sha256(source.read()).hexdigest()
    except OSError:
        return hashlib.sha256(str(migration).encode()).hexdigest()
