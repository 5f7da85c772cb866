"""What the agent closes: sockets, other databases, e-mail, caches and tasks."""

from __future__ import annotations

import importlib
import json
import os
import socket
import threading
from contextlib import contextmanager, suppress
from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Set, Tuple

from .events import FAILED, Events
from .failures import tell_failure
from .session import raw_cursor
from .watch import FURTHER


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
        if threading.current_thread() is threading.main_thread():  # others are those of a pool's
            self._events.note(FURTHER)
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
        cursor = raw_cursor(connection)
        cursor.execute(
            "SELECT pg_catalog.current_database(), pg_catalog.shobj_description(oid, 'pg_database')"
            " FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
        )
        name, comment = cursor.fetchone()
        connection.rollback()
        if _lease_id(comment) != self._lease:
            connection.close()
            message = "The database %s does not bear the lease of this rehearsal, so nothing was run on it." % name
            tell_failure(self._events, "guard", "LeaseMissing", message)
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
