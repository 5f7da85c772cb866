"""The agent: runs inside the app's own interpreter, migrates the copy, and tells what happens, a JSON line an event.

One file of standard library and Django, for Python >= 3.8, Django >= 4.2, psycopg 3 and psycopg2; started as
`PYTHON agent.py`, it never imports greenroom. docs/agent-protocol.md is the contract. In reading order: what it says
(Events), what it closes (NetworkGuard, DatabaseGuard), where it connects (settings), what it is going to run (Planner),
what it watches (Relations, Watch, Steps), and the story of one run (main).
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    del sys.path[0]  # this file's folder: its modules must shadow neither the app's nor the standard library's

import hashlib
import importlib
import json
import os
import platform
import re
import signal
import socket
import threading
import time
import traceback
from collections import defaultdict, deque
from contextlib import contextmanager, suppress
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, NoReturn, Optional, Set, Tuple

PROTOCOL = 1
FAILED = 1


# ---------------------------------------------------------------------------------------------------- what it says


class Events:
    """JSON lines on a private descriptor. When nobody reads them any more, the process ends: nobody would know.

    A line goes out at once, unless another did so less than PAUSE ago: then it goes with those that follow, when PAUSE
    is over. A reader that is woken for each of ten thousand lines takes more from the migration than all the watching.
    """

    PAUSE = 0.003  # seconds

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._written = 0.0
        self._silent = False
        self._due = threading.Event()
        self._told: Set[str] = set()
        self._begin()
        os.register_at_fork(after_in_child=self._begin)
        threading.Thread(target=self._flush_what_is_due, name="greenroom-events", daemon=True).start()

    def _begin(self) -> None:
        """Nothing waits. In a forked child: what waits is the parent's to send, and its lock may never be opened."""
        self._lock = threading.RLock()
        self._lines: List[bytes] = []

    def send(self, event: str, *, t: Optional[float] = None, **facts: Any) -> None:
        """One event. `t` is time.monotonic() of the fact, where that is not now."""
        self._wait_when_silent()
        now = time.monotonic()
        line = json.dumps({"event": event, "t": now if t is None else t, **facts}, default=str).encode() + b"\n"
        with self._lock:
            self._lines.append(line)
            if now - self._written > self.PAUSE:
                self.flush()
            elif not self._due.is_set():
                self._due.set()

    def flush(self) -> None:
        """Everything goes out now."""
        with self._lock:
            rest, self._lines = b"".join(self._lines), []
            self._written = time.monotonic()
            try:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except OSError:
                os._exit(FAILED)

    def leave(self, code: int) -> NoReturn:
        """End the process: the app's threads, exit handlers and `except` clauses have no say in it."""
        self._wait_when_silent()
        self.flush()
        os._exit(code)

    def leave_in_silence(self, code: int, before: Callable[[], Any]) -> NoReturn:
        """End the process from another thread: what `before` makes the app's thread say or do is not to be heard."""
        with self._lock:
            self.flush()
            self._silent = True
        with suppress(Exception):
            before()
        os._exit(code)

    def _wait_when_silent(self) -> None:
        if self._silent:
            threading.Event().wait()  # for the end of the process

    def _flush_what_is_due(self) -> None:
        while self._due.wait():
            time.sleep(self.PAUSE)
            self._due.clear()
            self.flush()

    def refuse(self, what: str) -> NoReturn:
        """Tell once what the app tried to reach, and stop it there."""
        self._once("refused", what)
        raise Refused("greenroom closed the %s" % (what if what.startswith("database") else "way to " + what))

    def note(self, what: str) -> None:
        """A sentence for people, once."""
        self._once("note", what)

    def _once(self, event: str, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.send(event, what=what)
            self.flush()  # a forked child has no thread that would do it


class Refused(OSError):
    """The app tried to reach something other than the copy."""


class Stop(Exception):
    """The run cannot go on, for a reason that a person can mend: one sentence."""


# -------------------------------------------------------------------------------------------------- what it closes


class NetworkGuard:
    """An audit hook: Python's sockets reach the copy and nothing else. C libraries do not pass through it."""

    CALLS = frozenset("socket.connect socket.sendto socket.sendmsg".split())
    NAMES = frozenset("socket.getaddrinfo socket.gethostbyname socket.gethostbyaddr".split())

    def __init__(self, events: Events, allowed: Iterable[Tuple[str, int]]) -> None:
        self._events = events
        self._names = {"", "localhost", socket.gethostname()}  # own names: resolved on this machine
        self._places: Set[str] = set()
        for host, port in allowed:
            self._names.add(host)
            if host.startswith("/"):
                self._places.add("%s/.s.PGSQL.%s" % (host, port))
                continue
            self._places.add("%s:%s" % (host, port))
            with suppress(OSError):
                self._places.update("%s:%s" % (found[4][0], port) for found in socket.getaddrinfo(host, port))

    def __call__(self, event: str, arguments: Tuple[Any, ...]) -> None:
        if event in self.CALLS:
            place = _place(arguments[1])
            if place and place not in self._places:
                self._events.refuse(place)
        elif event in self.NAMES and not self._is_known(_text(arguments[0])):
            port = arguments[1] if len(arguments) > 1 else None
            self._events.refuse(_text(arguments[0]) + (":%s" % port if port else ""))

    def _is_known(self, host: str) -> bool:
        """Nobody has to be asked for this name: it is the copy's, our own, or an address already."""
        return host in self._names or ":" in host or host.replace(".", "").isdigit()


def _place(address: Any) -> str:
    """`host:port`, or the path of a UNIX socket; empty for what leads nowhere else (netlink and the like)."""
    if isinstance(address, (str, bytes)):
        return os.fsdecode(address)
    if isinstance(address, tuple) and len(address) > 1 and isinstance(address[0], (str, bytes)):
        return "%s:%s" % (_text(address[0]), address[1])
    return ""


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


class DatabaseGuard:
    """Django's connections and the drivers': only the alias that is rehearsed opens, and only onto the leased copy.

    The lease is asked for on each new connection, before anything else runs on it. What the app connects to by the
    driver alone must be a place where a connection of Django's has found the lease.
    """

    def __init__(self, events: Events, alias: str, lease: str) -> None:
        self.connected: Callable[[Any], None] = lambda wrapper: None
        self._events, self._alias, self._lease = events, alias, lease
        self._leased: Set[Tuple[str, ...]] = set()
        self._own = threading.local()

    def close_drivers(self) -> None:
        """Guard psycopg and psycopg2, as far as they are installed; everybody's connections pass through here."""
        with suppress(ImportError):
            psycopg: Any = importlib.import_module("psycopg")
            for kind in (psycopg.Connection, psycopg.AsyncConnection):
                self._close_psycopg(kind, psycopg.conninfo.conninfo_to_dict)
            psycopg.connect = psycopg.Connection.connect
        with suppress(ImportError):
            psycopg2: Any = importlib.import_module("psycopg2")
            parse: Any = importlib.import_module("psycopg2.extensions").parse_dsn
            connect = psycopg2._connect

            def guarded(dsn: Any, *arguments: Any, **words: Any) -> Any:
                return self._enter(parse(dsn), lambda: connect(dsn, *arguments, **words))

            psycopg2._connect = guarded

    def _close_psycopg(self, kind: Any, parse: Callable[[str], Dict[str, Any]]) -> None:
        connect = kind.connect.__func__

        def guarded(cls: Any, conninfo: str = "", **words: Any) -> Any:
            given = {word: value for word, value in words.items() if value is not None}
            return self._enter({**parse(conninfo), **given}, lambda: connect(cls, conninfo, **words))

        kind.connect = classmethod(guarded)  # type: ignore[arg-type]

    def _enter(self, words: Dict[str, Any], connect: Callable[[], Any]) -> Any:
        place = _endpoint(words)
        if getattr(self._own, "opening", False):
            self._own.opening = False  # for this one: not for what the app connects to when it hears of it
            connection = connect()
            self._prove(connection)
            self._leased.add(place)
            return connection
        if place not in self._leased:
            host, address, port, name = place[:4]
            self._events.refuse("%s:%s/%s" % (address or host or "local socket", port, name))
        return connect()

    def close_aliases(self) -> None:
        """Guard every connection of Django's, also those of threads and of connection objects made later."""
        from django.db.backends.base.base import BaseDatabaseWrapper

        guard, connect = self, BaseDatabaseWrapper.connect

        def guarded(wrapper: Any) -> None:
            if wrapper.alias != guard._alias:
                guard._events.refuse("database alias %s" % wrapper.alias)
            with guard._opening():
                connect(wrapper)
            guard.connected(wrapper)

        BaseDatabaseWrapper.connect = guarded  # type: ignore[assignment,method-assign]

    def show_lease(self, wrapper: Any) -> None:
        """Connect once, for the proof alone: before any app of the project is imported."""
        with self._opening():
            wrapper.get_new_connection(wrapper.get_connection_params()).close()

    @contextmanager
    def _opening(self) -> Iterator[None]:
        self._own.opening = True
        try:
            yield
        finally:
            self._own.opening = False

    def _prove(self, connection: Any) -> None:
        cursor = _raw_cursor(connection)
        cursor.execute(
            "SELECT pg_catalog.current_database(), pg_catalog.shobj_description(oid, 'pg_database')"
            " FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
        )
        name, comment = cursor.fetchone()
        connection.rollback()
        if _lease_id(comment) != self._lease:
            connection.close()
            message = "The database %s does not bear the lease of this rehearsal, so nothing was run on it." % name
            _tell_failure(self._events, "guard", "LeaseMissing", message)
            self._events.leave(FAILED)


def _endpoint(words: Dict[str, Any]) -> Tuple[str, ...]:
    """Where libpq would connect: host, hostaddr, port, database, service; from the conninfo, else the environment."""
    names = ("host", "hostaddr", "port", "dbname", "service")
    variables = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE")
    found = {name: words.get(name) or os.environ.get(variable) for name, variable in zip(names, variables)}
    found["port"] = found["port"] or "5432"
    found["dbname"] = found["dbname"] or words.get("user") or os.environ.get("PGUSER")
    return tuple(str(found[name] or "") for name in names)


def _lease_id(comment: Optional[str]) -> Optional[str]:
    try:
        lease = json.loads(comment or "")
    except ValueError:
        return None
    return lease.get("id") if isinstance(lease, dict) else None


def close_services(settings: Any) -> None:
    """Nothing that the app does may reach a customer: e-mail, caches and tasks stay in this process."""
    no_mail = settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    for name, backend, kept in (
        (
            "CACHES",
            "django.core.cache.backends.locmem.LocMemCache",
            ("KEY_PREFIX", "KEY_FUNCTION", "TIMEOUT", "VERSION"),
        ),
        ("TASKS", "django.tasks.backends.dummy.DummyBackend", ("QUEUES",)),
        ("MAILERS", no_mail, ()),
    ):
        services: Dict[str, Dict[str, Any]] = getattr(settings, name, None) or {}  # TASKS: Django 6.0, MAILERS: 6.1
        for alias, service in services.items():
            services[alias] = {"BACKEND": backend, **{key: service[key] for key in kept if key in service}}
            if name == "CACHES":
                services[alias]["LOCATION"] = alias


# ------------------------------------------------------------------------------------------------ where it connects

ELSEWHERE = (
    "service servicefile passfile host hostaddr port dbname user password target_session_attrs load_balance_hosts pool"
).split()


def load_settings(request: Dict[str, Any]) -> Any:
    """The project's settings, with the alias pointed at the copy. Raises Stop when they cannot be used."""
    from django.conf import settings

    if request.get("settings"):
        os.environ["DJANGO_SETTINGS_MODULE"] = request["settings"]
    module = os.environ.get("DJANGO_SETTINGS_MODULE")
    if not module:
        raise Stop("No settings module is named, neither by --settings nor by DJANGO_SETTINGS_MODULE.")
    try:
        databases: Dict[str, Any] = settings.DATABASES
    except (Exception, SystemExit) as error:
        raise Stop("The settings module %s cannot be imported: %s" % (module, _one_line(error))) from error
    alias = request["alias"]
    if alias not in databases:
        raise Stop("The settings know no database alias %s; they have: %s." % (alias, ", ".join(databases) or "none"))
    databases[alias] = point_at_copy(databases[alias], request)
    return settings


def point_at_copy(entry: Dict[str, Any], request: Dict[str, Any]) -> Dict[str, Any]:
    """One entry of DATABASES for the copy: what the project tunes stays, what says where to connect is replaced."""
    options = dict(entry.get("OPTIONS") or {})
    entry = {**entry, "OPTIONS": options}
    options.pop("pool", None)
    database = request.get("database")
    if database:
        for word in ELSEWHERE:
            options.pop(word, None)
        for variable in ("PGSERVICE", "PGHOSTADDR", "PGTARGETSESSIONATTRS"):
            os.environ.pop(variable, None)
        for key in ("host", "port", "name", "user", "password"):
            entry[key.upper()] = database.get(key) or ""
        more = dict(database.get("options") or {})
        _append_option(options, more.pop("options", ""))
        options.update(more)
    if request.get("drop_sslmode"):
        for word in [word for word in options if word.startswith("ssl") or word in ("requiressl", "channel_binding")]:
            del options[word]
        for variable in [name for name in os.environ if name.startswith("PGSSL") or name == "PGCHANNELBINDING"]:
            del os.environ[variable]
    if request.get("role"):
        options.pop("assume_role", None)
        _append_option(options, "-c role=" + re.sub(r"([\\\s])", r"\\\1", request["role"]))
    return entry


def _append_option(options: Dict[str, Any], words: str) -> None:
    """libpq's `options` is one string of server options: the project's own timeouts in it stay."""
    if words:
        options["options"] = " ".join(filter(None, [options.get("options"), words]))


def target_connection(alias: str) -> Any:
    """Django's connection object of the alias, not yet connected."""
    from django.db import connections

    wrapper = connections[alias]
    if wrapper.vendor != "postgresql":
        engine = wrapper.settings_dict["ENGINE"]
        raise Stop("The database alias %s is not PostgreSQL but %s: greenroom cannot rehearse it." % (alias, engine))
    return wrapper


# ----------------------------------------------------------------------------------------- what it is going to run


class Planner:
    """The pending migrations, their operations in execution order, and the tables that these concern."""

    def __init__(self, wrapper: Any, targets: List[str]) -> None:
        from django.db.migrations.executor import MigrationExecutor

        self._executor: Any = MigrationExecutor(wrapper)
        self._loader = self._executor.loader
        self._wrapper = wrapper
        self._loader.check_consistent_history(wrapper)
        self._conflicts = {app: sorted(names) for app, names in self._loader.detect_conflicts().items()}
        resolved = [self._resolve(target) for target in targets]
        self.arguments = [arguments for arguments, _ in resolved]  # of the migrate command, once for each target
        self._nodes = [nodes for _, nodes in resolved] or [self._loader.graph.leaf_nodes()]
        self.tables: Dict[str, None] = {}  # in the order in which they are met

    def pending(self) -> List[Any]:
        """Migrations in the order in which Django will apply them. Raises Stop for a plan that goes backwards."""
        if self._conflicts:
            return []  # `migrate` will refuse to begin
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
        state = self._executor._create_project_state(with_applied_migrations=True)
        with _raw_cursor(self._wrapper.connection) as cursor:
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
                    for index, operation in enumerate(self._walk(migration.app_label, migration.operations, state))
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

    def _walk(self, app: str, operations: Iterable[Any], state: Any) -> Iterator[Dict[str, Any]]:
        for operation in operations:
            nested = _nested(operation)
            if nested is not None:
                yield from self._walk(app, nested, state.clone())
                operation.state_forwards(app, state)
            else:
                yield self._describe(app, operation, state)

    def _describe(self, app: str, operation: Any, state: Any) -> Dict[str, Any]:
        """One operation; moves `state` past it."""
        model = _model_of(operation)
        before = state.models.get((app, model))
        old = _field_of(before, operation)
        touched = self._tied(state, before, operation, old)
        operation.state_forwards(app, state)
        new = _field_of(state.models.get((app, model)), operation)
        touched += self._tied(state, state.models.get((app, model)), operation, new)
        table = self._table(before or state.models.get((app, model)))
        self.tables.update(dict.fromkeys(name for name in [table, *touched] if name))
        return {
            "kind": type(operation).__name__,
            "description": operation.describe(),
            "table": table,
            "name": _name_of(operation),
            "field": type(new or old).__name__ if new or old else None,
            "reversible": bool(operation.reversible),
            "traits": [*_traits(operation, new), *("was " + word for word in _traits(None, old))],
        }

    def _tied(self, state: Any, model: Any, operation: Any, field: Any) -> List[Optional[str]]:
        """Tables that the operation concerns beside the model's own, by foreign keys from it and to it."""
        from django.db.migrations.operations import CreateModel, DeleteModel, RenameModel

        if model is None:
            return []
        whole = isinstance(operation, (CreateModel, DeleteModel, RenameModel))
        fields = model.fields.items() if whole else [(_name_of(operation), field)]
        tables = []
        for name, each in fields:
            key = _reference(model, each)
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
        return [self._table(one) for one in others if wanted in (_reference(one, each) for each in one.fields.values())]

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


def _nested(operation: Any) -> Optional[List[Any]]:
    """The operations that this one runs instead of itself: SeparateDatabaseAndState and its like."""
    nested = getattr(operation, "database_operations", None)
    return list(nested) if isinstance(nested, (list, tuple)) else None


def flatten(operations: Iterable[Any]) -> Iterator[Any]:
    """Operations in execution order, as the plan counts them."""
    for operation in operations:
        nested = _nested(operation)
        if nested is None:
            yield operation
        else:
            yield from flatten(nested)


def _model_of(operation: Any) -> Optional[str]:
    from django.db.migrations.operations.models import ModelOperation

    if isinstance(operation, ModelOperation):
        name = getattr(operation, "old_name", operation.name)
    else:
        name = getattr(operation, "model_name", None)
    return name.lower() if isinstance(name, str) else None


def _field_of(model: Any, operation: Any) -> Any:
    """The field that the operation names, as the model's state has it: under the old name or the new."""
    if model is None or not isinstance(getattr(operation, "model_name", None), str):
        return None
    names = (getattr(operation, name, None) for name in ("old_name", "name", "new_name"))
    return next((model.fields[name] for name in names if name in model.fields), None)


def _name_of(operation: Any) -> Optional[str]:
    """Of the field, index, constraint or extension."""
    from django.db.migrations.operations.models import ModelOperation

    if isinstance(operation, ModelOperation):
        return None
    carrier = getattr(operation, "index", None) or getattr(operation, "constraint", None) or operation
    name = getattr(carrier, "old_name", None) or getattr(carrier, "name", None)
    return name if isinstance(name, str) else None


def _traits(operation: Any, field: Any) -> List[str]:
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


def _reference(model: Any, field: Any) -> Optional[Tuple[str, str]]:
    """(app, model) that a foreign key or many-to-many field of a model's state points to."""
    from django.db.migrations.utils import resolve_relation

    remote = getattr(field, "remote_field", None)
    if not getattr(remote, "model", None) or not (field.many_to_one or field.one_to_one or field.many_to_many):
        return None
    return resolve_relation(remote.model, model.app_label, model.name_lower)  # type: ignore[union-attr]


def _hash_source(migration: Any) -> str:
    """SHA-256 of the migration's file; of its name, where it has no file (an archive, a compiled module)."""
    try:
        with open(sys.modules[type(migration).__module__].__file__ or "", "rb") as source:
            return hashlib.sha256(source.read()).hexdigest()
    except OSError:
        return hashlib.sha256(str(migration).encode()).hexdigest()


# ------------------------------------------------------------------------------------------------- what it watches

# One reading after each statement: the locks of this very session, with what tells rewrites and scans. Catalogue
# relations (below 16384) are left out. The other catalogues are asked only about what is not known yet: they cost more.
READING = """
    SELECT relation, mode, pg_catalog.pg_relation_filenode(relation)::bigint,
           pg_catalog.pg_stat_get_xact_numscans(relation)
    FROM pg_catalog.pg_locks
    WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND granted AND relation >= 16384"""
READING_WAL = " UNION ALL SELECT 0, '', (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint, 0"
RELATIONS = """
    SELECT c.oid, c.relkind::text, n.nspname || '.' || c.relname, COALESCE(i.indrelid, c.oid), c.reltuples::bigint,
           pg_catalog.pg_relation_filenode(c.oid)::bigint, c.relpersistence::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
    WHERE c.relkind IN ('r', 'p', 'm', 'i') AND c.oid >= 16384 AND n.nspname <> 'pg_toast'"""
SCANNED = """
    SELECT oid, pg_catalog.pg_stat_get_xact_numscans(oid) FROM pg_catalog.pg_class
    WHERE relkind IN ('r', 'p', 'm', 'i') AND oid >= 16384 AND pg_catalog.pg_stat_get_xact_numscans(oid) > 0"""

FIRST_WORDS = re.compile(r"\A(?:[\s(;]|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*([A-Za-z]*)\s*([A-Za-z]*)", re.DOTALL)
WRITES = frozenset("INSERT UPDATE DELETE MERGE WITH CALL DO".split())
CHECK_NOW = "SET CONSTRAINTS ALL IMMEDIATE"
RENAMES = re.compile(r"\bRENAME\b|\bSET\s+SCHEMA\b", re.IGNORECASE)
ROWS_ONLY = frozenset("SELECT INSERT UPDATE DELETE MERGE VALUES WITH".split())
CONTROL = frozenset("BEGIN START COMMIT END ROLLBACK ABORT SET RESET SHOW PREPARE DISCARD LISTEN UNLISTEN".split())
BY_INDEX = re.compile(r"\b(?:REFERENCES|VALIDATE|CLUSTER)\b", re.IGNORECASE)  # may read whole tables through an index
NOT_IN_A_BLOCK = frozenset(("25001", "2D000"))  # active_sql_transaction, invalid_transaction_termination
QUICK = 0.005  # seconds; a reading costs 0.3 ms, which a statement of this length does not feel
IDLE, IN_TRANSACTION = 0, 2  # libpq's PQTRANS_IDLE and PQTRANS_INTRANS
COMMAND_OK, TUPLES_OK = 1, 2  # libpq's PGRES_COMMAND_OK and PGRES_TUPLES_OK


class Relations:
    """What is known of the copy's tables and indexes, by oid: names change under a migration, oids do not."""

    def __init__(self, query: Callable[[str], List[Any]]) -> None:
        self._query = query
        self.rows: Dict[int, Tuple[str, str, int, int]] = {}  # oid -> kind, schema.table, its table's oid, rows
        self.filenodes: Dict[int, int] = {}
        self.learn(query(RELATIONS))
        self._first = frozenset(self.rows)
        self.stale: Set[int] = set()

    def learn(self, found: Iterable[Any]) -> None:
        for oid, kind, name, table, rows, filenode, persistence in found:
            self.rows[oid] = ("" if persistence == "t" else kind, name, table, rows)
            if filenode:
                self.filenodes.setdefault(oid, filenode)

    def look_up(self, oids: Set[int]) -> None:
        """Ask about what was created or renamed since. What is gone again stays as it was, or is of no kind."""
        oids = self.stale | (oids - self.rows.keys())
        if oids:
            self.learn(self._query(RELATIONS + " AND c.oid = ANY('{%s}')" % ",".join(map(str, oids))))
            for oid in oids:
                self.rows.setdefault(oid, ("", "", oid, -1))
            self.stale = set()

    def is_table(self, oid: int) -> bool:
        return self.rows[oid][0] in ("r", "p", "m")

    def is_index(self, oid: int) -> bool:
        return self.rows[oid][0] == "i"

    def table_of(self, oid: int) -> int:
        return self.rows[oid][2]

    def named(self, oid: int) -> Dict[str, Any]:
        return {"oid": oid, "table": self.rows[oid][1], "new": oid not in self._first}

    def facts(self, oid: int) -> Dict[str, Any]:
        rows = self.rows[oid][3]
        return {**self.named(oid), "rows": rows if rows >= 0 else None}


class Watch:
    """Sees every statement of one Django connection (it is an execute_wrapper), and its transactions' ends."""

    def __init__(self, wrapper: Any, events: Events, wal: bool) -> None:
        self.operation: Optional[int] = None
        self._wrapper, self._events = wrapper, events
        self._thread, self._process = threading.get_ident(), os.getpid()
        self._n = 0
        self._open = False
        self._held: Set[Tuple[int, str]] = set()
        self._reading = READING + (READING_WAL if wal else "")
        self._cursor = _raw_cursor(wrapper.connection)
        self._relations = Relations(self._query)
        self.attend(wrapper)

    def attend(self, wrapper: Any) -> None:
        """Watch this connection object; called again after each reconnect, when the server's counters begin anew."""
        self._wrapper, self._cursor = wrapper, _raw_cursor(wrapper.connection)
        self._scans: Dict[int, int] = {}  # the server's counters as last read; only in a transaction do they not fall
        self._unsure = True  # something may have been scanned that nobody has read the counters of
        self._forget_transaction()
        self._take()
        if self not in wrapper.execute_wrappers:
            wrapper.execute_wrappers.append(self)
            self._wrap_transaction_ends()

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Dict[str, Any]) -> Any:
        if os.getpid() != self._process or threading.get_ident() != self._thread:
            return execute(sql, params, many, context)  # a forked child's, or lent to a thread: another story
        if self._open and self._status() == IDLE:
            self._end("commit", lambda: None)  # ended past Django, by a transaction block of the driver's
        statement = Statement(sql, many, context["cursor"], lambda: execute(sql, params, many, context))
        if statement.word in ("SAVEPOINT", "RELEASE"):
            return statement.run()
        if statement.words == ("ROLLBACK", "TO") and self._open:
            return self._roll_back_to_savepoint(statement)
        if self._in_transaction():
            return self._run(statement, "transaction")
        if statement.is_control or statement.keeps_a_cursor:
            return self._run(statement, "polled")
        return self._run_wrapped(statement)

    # -- statements

    def _run_wrapped(self, statement: Statement) -> Any:
        """BEGIN and COMMIT around a statement that would have been alone: its locks last until they have been read."""
        trouble = self._wrapper.errors_occurred
        self._execute("BEGIN")
        try:
            result = self._run(statement, "wrapped")
        except BaseException as error:
            retry = _diagnosis(error).get("sqlstate") in NOT_IN_A_BLOCK
            with suppress(Exception):  # the connection may be gone: the error that counts is the statement's
                self._end("rollback", lambda: self._execute("ROLLBACK"))
            if not retry:
                raise
        else:
            self._end("commit", lambda: self._execute("COMMIT"))
            return result
        self._wrapper.errors_occurred = trouble
        return self._run(statement, "polled")

    def _run(self, statement: Statement, how: str) -> Any:
        watched = how != "polled" and not statement.is_control
        if watched:
            self._begin_transaction()
            if self._unread and statement.key not in self._seen:
                self._read_late()
            if statement.reads_by_index:
                self._scans.update(self._query(SCANNED))
        self._n += 1
        many = {"many": True} if statement.many else {}
        self._events.send("statement_start", n=self._n, sql=statement.text, operation=self.operation, how=how, **many)
        started = time.monotonic()
        try:
            result = statement.run()
            if how == "wrapped" and statement.word in WRITES:
                self._execute(CHECK_NOW)  # alone, the statement would have come back only after these checks
        except BaseException as error:
            self._fail(error, how)
            raise
        ended = time.monotonic()
        rows = statement.cursor.rowcount
        facts = self._facts(statement, how, ended - started) if watched else self._facts_polled(statement)
        self._tell(ended, rows=rows if rows >= 0 else None, **facts)
        if how == "transaction" and statement.is_control and self._status() == IDLE:
            self._end("rollback" if statement.word in ("ROLLBACK", "ABORT") else "commit", lambda: None)
        return result

    def _fail(self, error: BaseException, how: str) -> None:
        self._unsure = True
        found = _diagnosis(error)
        facts: Dict[str, Any] = {"exception": type(error).__name__, "sqlstate": found.get("sqlstate")}
        if how == "wrapped" and facts["sqlstate"] in NOT_IN_A_BLOCK:
            facts["retried"] = True
        self._tell(time.monotonic(), **facts)

    def _tell(self, t: float, **facts: Any) -> None:
        nothing: Dict[str, Any] = {"rows": None, "locks": [], "rewrites": [], "scans": [], "wal_bytes": None}
        facts = {**nothing, "exception": None, "sqlstate": None, **facts}
        self._events.send("statement_end", t=t, n=self._n, **facts)

    def _facts(self, statement: Statement, how: str, seconds: float) -> Dict[str, Any]:
        """What the statement left behind, unless it is a quick repetition: those are read once, at the row's end."""
        if statement.key in self._seen and seconds < QUICK and statement.word in ROWS_ONLY:
            self._unread = True
            return {}
        self._seen.add(statement.key)
        self._unread = False
        if self._status() != IN_TRANSACTION:
            return {}
        return self._read(statement)

    def _facts_polled(self, statement: Statement) -> Dict[str, Any]:
        """Its locks are gone with it; rewrites still show, by comparing the whole catalogue."""
        self._unsure = True
        if statement.is_control or statement.word in ROWS_ONLY or self._status() != IDLE:
            return {}
        before = {known[1]: oid for oid, known in self._relations.rows.items() if known[0] == "i"}
        found = self._query(RELATIONS)
        moved = {row[0] for row in found if row[5] and self._relations.filenodes.get(row[0], row[5]) != row[5]}
        swapped = {row[0] for row in found if before.get(row[2], row[0]) != row[0]}  # REINDEX CONCURRENTLY
        self._relations.learn(found)
        self._relations.filenodes.update((row[0], row[5]) for row in found if row[5])
        return {"rewrites": self._rewrites(moved | swapped)}

    # -- readings

    def _read(self, statement: Optional[Statement]) -> Dict[str, Any]:
        """What is new since the previous reading of this transaction."""
        lsn = self._lsn
        before = self._held
        counts, filenodes = self._take()
        known = self._relations
        known.look_up(set(filenodes))
        moved = {oid for oid, filenode in filenodes.items() if filenode and self._filenode(oid) not in (None, filenode)}
        self._moved.update((oid, filenode) for oid, filenode in filenodes.items() if filenode)
        facts = {
            "locks": self._locks(self._held - before),
            "rewrites": self._rewrites(moved),
            "scans": self._scanned(counts, statement is not None and statement.reads_by_index),
            "wal_bytes": None if lsn is None or self._lsn is None else self._lsn - lsn,
        }
        if statement is not None and statement.renames:
            self._renamed |= filenodes.keys()
            known.stale |= filenodes.keys()
        return facts

    def _take(self) -> Tuple[Dict[int, int], Dict[int, Optional[int]]]:
        rows = self._ask()
        self._held = {(oid, mode) for oid, mode, _, _ in rows if oid}
        self._lsn = next((place for oid, _, place, _ in rows if not oid), None)
        return {row[0]: row[3] for row in rows if row[0]}, {row[0]: row[2] for row in rows if row[0]}

    def _filenode(self, oid: int) -> Optional[int]:
        return self._moved.get(oid, self._relations.filenodes.get(oid))

    def _locks(self, held: Iterable[Tuple[int, str]]) -> List[Dict[str, Any]]:
        found = [
            (oid, mode) for oid, mode in sorted(held) if mode != "AccessShareLock" and self._relations.is_table(oid)
        ]
        return [{**self._relations.named(oid), "mode": mode} for oid, mode in found]

    def _scanned(self, counts: Dict[int, int], through_indexes: bool) -> List[Dict[str, Any]]:
        """Sequential scans of tables; for DDL also of indexes: the validation of a foreign key may choose them."""
        found: Dict[int, int] = {}
        for oid, count in counts.items():
            more = count - self._scans.get(oid, 0)
            if self._relations.is_table(oid):
                self._scans[oid] = count
                if more > 0:
                    found[oid] = more
            elif through_indexes and more > 0 and self._relations.is_index(oid):
                found.setdefault(self._relations.table_of(oid), 1)
        self._relations.look_up(set(found))
        return [{**self._relations.facts(oid), "scans": scans} for oid, scans in sorted(found.items())]

    def _rewrites(self, moved: Iterable[int]) -> List[Dict[str, Any]]:
        """Relations with a new file, put together by table."""
        known = self._relations
        tables: Dict[int, List[int]] = defaultdict(list)
        for oid in sorted(moved):
            if known.is_table(oid) or known.is_index(oid):
                tables[known.table_of(oid)].append(oid)
        found = []
        known.look_up(set(tables))
        for table, oids in tables.items():
            measured = [table] if table in oids else oids
            size = self._query("SELECT " + "+".join("pg_catalog.pg_total_relation_size(%s)" % oid for oid in measured))
            indexes = [known.rows[oid][1].partition(".")[2] for oid in oids if oid != table]
            only = {"indexes": indexes, "only_indexes": table not in oids, "size_bytes": size[0][0]}
            found.append({**known.facts(table), **only})
        return found

    def _read_late(self) -> None:
        """What no statement_end has told: quick repetitions, and what ran past Django (COPY, a driver's cursor)."""
        self._unread = False
        facts = self._read(None)
        if facts["locks"] or facts["rewrites"] or facts["scans"]:
            del facts["wal_bytes"]
            self._events.send("reading", n=self._n, **facts)

    # -- transactions

    def _begin_transaction(self) -> None:
        """Before a transaction's first statement: what the scan counters stand at, unless they are known to be zero."""
        if self._open:
            return
        self._open = True
        old = [str(oid) for oid, count in self._scans.items() if count and self._relations.is_table(oid)]
        if self._unsure:
            self._scans = dict(self._query(SCANNED))
            self._unsure = False
        elif old:
            self._scans = dict(self._query(SCANNED + " AND oid = ANY('{%s}')" % ",".join(old)))

    def _forget_transaction(self) -> None:
        self._open, self._unread = False, False
        self._held = set()
        self._seen: Set[int] = set()
        self._moved: Dict[int, int] = {}
        self._renamed: Set[int] = set()

    def _roll_back_to_savepoint(self, statement: Statement) -> Any:
        """Its locks are gone and its files are the old ones again; the scan counters stay."""
        result = statement.run()
        if self._status() == IN_TRANSACTION:
            before = self._held
            _, filenodes = self._take()
            self._moved = {oid: filenode for oid, filenode in filenodes.items() if filenode}
            self._scans.update(self._query(SCANNED))
            self._relations.stale |= self._renamed
            released = self._locks(before - self._held)
            if released:
                self._events.send("released", n=self._n, locks=released)
        return result

    def _wrap_transaction_ends(self) -> None:
        wrapper = self._wrapper
        commit, roll_back, close = wrapper._commit, wrapper._rollback, wrapper._close
        wrapper._commit = lambda: self._commit(commit)
        wrapper._rollback = lambda: self._end("rollback", roll_back)
        wrapper._close = lambda: self._end("rollback", close) if self._open else close()

    def _commit(self, commit: Callable[[], Any]) -> Any:
        """Deferred constraints are checked a moment before the commit would: what they read can be seen only so."""
        checked = 0.0
        if self._status() == IN_TRANSACTION:
            self._begin_transaction()
            started = time.monotonic()
            self._execute(CHECK_NOW)
            checked = time.monotonic() - started
            self._read_late()
        return self._end("commit", commit, checked)

    def _end(self, outcome: str, act: Callable[[], Any], before: float = 0.0) -> Any:
        started = time.monotonic() - before
        try:
            result = act()
        except BaseException:
            outcome = "rollback"
            raise
        finally:
            self._events.send("transaction_end", outcome=outcome, seconds=time.monotonic() - started)
            if outcome == "commit":
                self._relations.filenodes.update(self._moved)
            else:
                self._relations.stale |= self._renamed
            self._forget_transaction()
        return result

    # -- the driver's connection

    def _in_transaction(self) -> bool:
        return not self._wrapper.connection.autocommit or self._status() != IDLE

    def _status(self) -> int:
        connection = self._wrapper.connection
        return IDLE if connection is None else int(connection.info.transaction_status)

    def _ask(self) -> List[Tuple[int, str, Optional[int], int]]:
        """The reading."""
        if self._status() != IN_TRANSACTION:
            return self._query(self._reading)
        result = self._execute(self._reading)
        if result is None:
            return self._cursor.fetchall()  # type: ignore[no-any-return]
        found = [[result.get_value(row, column) for column in range(4)] for row in range(result.ntuples)]
        return [(int(oid), mode.decode(), int(place or 0), int(count)) for oid, mode, place, count in found]

    def _execute(self, sql: str) -> Any:
        """A statement of the agent's own, past all wrappers; errors are Django's, as the app would have met them.

        With psycopg 3 by libpq itself, whose answer this returns: a cursor would cost half as much as the server does.
        """
        libpq = getattr(self._wrapper.connection, "pgconn", None)
        with self._wrapper.wrap_database_errors:
            if libpq is None or libpq.pipeline_status:
                self._cursor.execute(sql)
                return None
            result = libpq.exec_(sql.encode())
            if result.status in (COMMAND_OK, TUPLES_OK):
                return result
            raise sys.modules["psycopg"].errors.error_from_result(result)

    def _query(self, sql: str) -> List[Any]:
        """Like `_execute`, but also where the driver has to begin the transaction first."""
        with self._wrapper.wrap_database_errors:
            self._cursor.execute(sql)
            return self._cursor.fetchall()  # type: ignore[no-any-return]


class Statement:
    """One call of a cursor's execute or executemany."""

    def __init__(self, sql: Any, many: bool, cursor: Any, run: Callable[[], Any]) -> None:
        self.text, self.many, self.cursor, self.run = _render(sql, cursor), many, cursor, run
        self.key = hash(self.text)
        self.words = tuple(str(word).upper() for word in FIRST_WORDS.match(self.text).groups(""))  # type: ignore[union-attr]
        self.word, second = self.words
        self.is_control = self.word in CONTROL and second != "CONSTRAINTS"
        self.keeps_a_cursor = getattr(cursor.cursor, "name", None) is not None  # a named one: fetched from later
        self.reads_by_index = self.word not in ROWS_ONLY and BY_INDEX.search(self.text) is not None
        self.renames = self.word == "ALTER" and RENAMES.search(self.text) is not None


def _raw_cursor(connection: Any) -> Any:
    """A plain cursor of the driver, whatever factories the project has set."""
    if hasattr(connection, "pgconn"):
        psycopg = sys.modules["psycopg"]
        return psycopg.ClientCursor(connection, row_factory=psycopg.rows.tuple_row)
    return connection.cursor(cursor_factory=sys.modules["psycopg2.extensions"].cursor)


def _render(sql: Any, cursor: Any) -> str:
    """SQL as text: a string, bytes, or one of the drivers' composed statements."""
    if isinstance(sql, (str, bytes)):
        return _text(sql)
    try:
        return str(sql.as_string(cursor.cursor))
    except Exception:
        return "/* SQL of type %s */" % type(sql).__name__


class Steps:
    """Migrations and their operations as Django's executor goes through them."""

    def __init__(self, alias: str, events: Events, watch: Watch) -> None:
        self.failed_operation: Optional[int] = None
        self._alias, self._events, self._watch = alias, events, watch
        self._queued: Dict[int, Tuple[Any, int]] = {}  # deferred SQL by identity, and the operation that queued it
        self._queried: Set[Tuple[int, str]] = set()  # operations of the migration, and models of the code

    def install(self) -> None:
        from django.db.migrations.executor import MigrationExecutor

        steps, apply = self, MigrationExecutor.apply_migration

        def applied(executor: Any, state: Any, migration: Any, *arguments: Any, **words: Any) -> Any:
            if executor.connection.alias != steps._alias:
                return apply(executor, state, migration, *arguments, **words)
            with steps._migration(migration):
                return apply(executor, state, migration, *arguments, **words)

        MigrationExecutor.apply_migration = applied  # type: ignore[assignment,method-assign]
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

    @contextmanager
    def _migration(self, migration: Any) -> Iterator[None]:
        name = {"app": migration.app_label, "name": migration.name}
        self._events.send("migration_start", **name, atomic=migration.atomic)
        self._queued.clear()
        self._queried.clear()
        operations = self._mark(migration)
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
                editor.execute = self._attributed(editor.execute)
            queued = {id(sql) for sql in editor.deferred_sql}
            with self._operation(index):
                result = run(app, editor, before, after)
            self._queued.update((id(sql), (sql, index)) for sql in editor.deferred_sql if id(sql) not in queued)
            return result

        return forwards

    def _attributed(self, execute: Any) -> Callable[..., Any]:
        """SQL that the schema editor has put off to the migration's end belongs to the operation that queued it."""

        def executed(sql: Any, *arguments: Any, **words: Any) -> Any:
            owner = self._queued.get(id(sql)) if self._watch.operation is None else None
            if owner is None:
                return execute(sql, *arguments, **words)
            with self._operation(owner[1]):
                return execute(sql, *arguments, **words)

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


# ------------------------------------------------------------------------------------------------ what went wrong


def _tell_failure(events: Events, during: str, exception: str, message: Optional[str] = None, **facts: Any) -> None:
    nothing = dict.fromkeys(("sqlstate", "table", "column", "constraint", "operation"))
    events.send("failed", during=during, exception=exception, message=message, **{**nothing, "frames": [], **facts})


def _diagnosis(error: Optional[BaseException]) -> Dict[str, Any]:
    """What the server says beside its message, which can carry data. Django keeps the driver's error as the cause."""
    seen: Set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        sqlstate = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        if sqlstate:
            about = getattr(error, "diag", None)
            names = {"table": "table_name", "column": "column_name", "constraint": "constraint_name"}
            return {"sqlstate": sqlstate, **{key: getattr(about, name, None) for key, name in names.items()}}
        error = error.__cause__ or error.__context__
    return {}


def _frames(error: BaseException, project: str) -> List[Dict[str, Any]]:
    """Where in the code, without any line of it: the innermost frames, and those of the project's own files."""
    found = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = os.path.abspath(frame.f_code.co_filename)
        if file != os.path.abspath(__file__):
            found.append((file.startswith(project + os.sep) and "site-packages" not in file, file, line, frame))
    own = [number for number, one in enumerate(found) if one[0]][-8:]
    chosen = sorted({*own, *range(len(found))[-4:]})
    return [
        {
            "file": _relative(found[number][1], project),
            "line": found[number][2],
            "function": found[number][3].f_code.co_name,
        }
        for number in chosen
    ]


def _relative(file: str, project: str) -> str:
    _, packages, inside = file.rpartition(os.sep + "site-packages" + os.sep)
    if packages:
        return inside
    return os.path.relpath(file, project) if file.startswith(project + os.sep) else file


def _one_line(error: BaseException) -> str:
    return " ".join(("%s: %s" % (type(error).__name__, error)).split())


# ----------------------------------------------------------------------------------------------- the story of a run


class Dialogue:
    """Standard input and output, taken from the app: it reads nothing, and what it prints goes to standard error."""

    def __init__(self) -> None:
        self.events = Events(os.dup(1))
        self._requests = os.fdopen(os.dup(0), "rb", buffering=0)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    def listen(self) -> Dict[str, Any]:
        """The next line; at the end of input nobody wants anything, and the process ends."""
        line = self._requests.readline()
        if not line.strip():
            os._exit(0)
        return json.loads(line)  # type: ignore[no-any-return]


def stop_on_signals(events: Events, running: Callable[[], Any]) -> None:
    """Ctrl-C and SIGTERM end the process quietly, also in the middle of a statement: the server is asked to cancel it.

    A handler of Python's would wait for psycopg2 to come back from the statement; a thread behind a pipe does not.
    """
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)

    def wait() -> None:
        number = os.read(receiver, 1)[0]
        while number not in (signal.SIGINT, signal.SIGTERM):
            number = os.read(receiver, 1)[0]
        events.leave_in_silence(128 + number, lambda: running().cancel())

    threading.Thread(target=wait, name="greenroom-signals", daemon=True).start()


class Run:
    """One rehearsal from the request to `done` or `failed`."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue, self._events = dialogue, dialogue.events
        self._request = dialogue.listen()
        self._alias: str = self._request["alias"]
        self._during = "start"
        self._wrapper: Any = None
        self._watch: Optional[Watch] = None
        self._steps: Optional[Steps] = None

    def to_its_end(self) -> int:
        """The exit code: 0 done, or nothing wanted any more; 1 failed."""
        stop_on_signals(self._events, lambda: self._wrapper.connection)
        try:
            self._prepare()
            self._greet()
            self._during = "plan"
            planner = Planner(self._wrapper, self._request.get("targets") or [])
            self._events.send("plan", **planner.describe())
            if not self._dialogue.listen().get("go"):
                return 0
            self._during = "migrate"
            self._migrate(planner)
        except (Exception, SystemExit) as error:
            self._close()
            self._fail(error)
            return FAILED
        self._close()
        self._events.send("done")
        return 0

    def _prepare(self) -> None:
        """Close what must be closed, load the project, prove that the database is the copy."""
        request = self._request
        if request["protocol"] != PROTOCOL:
            raise Stop("The agent speaks protocol %s and was asked for %s." % (PROTOCOL, request["protocol"]))
        os.chdir(request["project"])
        sys.path.insert(0, request["project"])
        closed = not request.get("allow_network")
        if closed:
            sys.addaudithook(NetworkGuard(self._events, [(host, port) for host, port in request.get("allowed") or ()]))
        guard = DatabaseGuard(self._events, self._alias, request["lease"])
        guard.close_drivers()
        settings = load_settings(request)
        if closed:
            close_services(settings)
        self._wrapper = target_connection(self._alias)
        guard.close_aliases()
        guard.show_lease(self._wrapper)
        importlib.import_module("django").setup()
        self._wrapper.ensure_connection()
        guard.connected = self._connected

    def _greet(self) -> None:
        wrapper = self._wrapper
        cursor = _raw_cursor(wrapper.connection)
        cursor.execute("SELECT current_user::text, pg_catalog.current_setting('lock_timeout')")
        role, lock_timeout = cursor.fetchone()
        self._events.send(
            "ready",
            python=platform.python_version(),
            django=importlib.import_module("django").__version__,
            driver="%s %s" % (wrapper.Database.__name__, wrapper.Database.__version__.split()[0]),
            role=role,
            lock_timeout=lock_timeout,
            lease=self._request["lease"],
        )
        self._connected(wrapper)

    def _connected(self, wrapper: Any) -> None:
        """After each connect of the alias: tell the backend's pid, and go on watching."""
        if threading.current_thread() is not threading.main_thread():
            return self._events.note("A thread of the app connected on its own: its statements were not watched.")
        self._wrapper = wrapper
        self._events.send("connection", pid=wrapper.connection.info.backend_pid)
        if self._watch:
            self._watch.attend(wrapper)
        return None

    def _migrate(self, planner: Planner) -> None:
        """The project's own `migrate` command, once for each target."""
        from django.core.management import call_command

        self._watch = Watch(self._wrapper, self._events, bool(self._request.get("wal")))
        self._steps = Steps(self._alias, self._events, self._watch)
        self._steps.install()
        for arguments in planner.arguments or [()]:
            call_command("migrate", *arguments, database=self._alias, interactive=False, verbosity=0)

    def _fail(self, error: BaseException) -> None:
        """With a message as long as nothing has run; with code frames and no message once data may stand in it."""
        facts: Dict[str, Any] = {}
        if self._during != "migrate":
            facts["message"] = str(error) if isinstance(error, Stop) else _one_line(error)
        else:
            facts["frames"] = _frames(error, os.path.abspath(self._request["project"]))
            facts["operation"] = self._steps.failed_operation if self._steps else None
        _tell_failure(self._events, self._during, type(error).__name__, **facts, **_diagnosis(error))

    def _close(self) -> None:
        """Before the last event: whoever hears it may drop the database."""
        with suppress(Exception):
            self._wrapper.close()


def main() -> NoReturn:
    """Run once, and leave with its exit code."""
    dialogue = Dialogue()
    code = Run(dialogue).to_its_end()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    dialogue.events.leave(code)


if __name__ == "__main__":
    main()
