"""Subscriptions of a copy that came whole: it would take the source's place at their publishers.

An apply worker of the copy that gets hold of the replication slot has the publisher forget what the source has not
received yet. So each is disabled, and made to forget its slot, which a later DROP SUBSCRIPTION would drop.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import psycopg
from psycopg import sql

from greenroom.errors import GreenroomError
from greenroom.postgres import event_triggers, roles
from greenroom.postgres.address import Address
from greenroom.postgres.server import connect

SETTLE_SECONDS = 30.0
_PAUSE_SECONDS = 0.1
_ALL = """
SELECT d.datname, s.subname, pg_get_userbyid(s.subowner), s.subenabled, s.subenabled OR s.subslotname IS NOT NULL
FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid ORDER BY d.datname <> current_database(), 1, 2
"""


@dataclass(frozen=True)
class Subscription:
    """One of the server's. `tied`: it is enabled, or knows a slot."""

    database: str
    name: str
    owner: str
    enabled: bool
    tied: bool


def stop_subscriptions(address: Address, remedy: str, *, whole_server: bool) -> list[str]:
    """Stop those of the copy at `address`; returns notes. Raises GreenroomError where one cannot be: then end it.

    `{grant}` in `remedy` becomes the statement by which it may be. `whole_server`: all of its databases are the copy's,
    and not others' who share the server with it.
    """
    with connect(address) as connection:
        found = [Subscription(*row) for row in connection.execute(_ALL)]
        idle = connection.execute("SHOW max_logical_replication_workers").fetchone() == ("0",)
        mine = [one for one in found if one.database == address.database and one.tied]
        _stop(connection, mine, remedy, idle=idle)
    elsewhere = [one for one in found if one.database != address.database and one.tied]
    left = [] if whole_server else [one for one in elsewhere if one.enabled]
    if whole_server:
        for database in dict.fromkeys(one.database for one in elsewhere):
            theirs = [one for one in elsewhere if one.database == database]
            try:
                connection = connect(address.at(database))
            except GreenroomError:
                left += [one for one in theirs if one.enabled]
                continue
            with connection:
                _stop(connection, theirs, remedy, idle=idle)
            mine += theirs
    return [*_told(mine, idle=idle), *([] if idle else _told_left(left))]


def _stop(connection: psycopg.Connection, mine: list[Subscription], remedy: str, *, idle: bool) -> None:
    """Those of the connected database; `idle`: this server runs no worker for any of them."""
    with event_triggers.off(connection) if mine else nullcontext():
        for one in mine:
            _disable(connection, one, remedy, idle=idle)
    _await_workers(connection, mine)


def _disable(connection: psycopg.Connection, one: Subscription, remedy: str, *, idle: bool) -> None:
    try:
        for words in ("DISABLE", "SET (slot_name = NONE)"):
            connection.execute(sql.SQL("ALTER SUBSCRIPTION {} " + words).format(sql.Identifier(one.name)))
    except psycopg.Error as error:
        if idle:
            return
        which = f"the subscription {one.name} of {one.database} in the copy"
        then = "which would take what the source is waiting for"
        if forbidden := event_triggers.blamed(connection, error):
            raise GreenroomError(f"{which} cannot be stopped, {then}: {forbidden[0]}.", forbidden[1]) from error
        raise GreenroomError(
            f"{connection.info.user} cannot stop {which} (SQLSTATE {error.sqlstate}), {then}.",
            remedy.replace("{grant}", roles.to_act_for(one.owner, connection.info.user)),
        ) from error


def _await_workers(connection: psycopg.Connection, mine: list[Subscription]) -> None:
    """A worker ends by itself when it sees that its subscription is disabled."""
    query = "SELECT subname FROM pg_stat_subscription WHERE pid IS NOT NULL AND subname = ANY (%s)"
    deadline = time.monotonic() + SETTLE_SECONDS
    while working := [name for (name,) in connection.execute(query, [[one.name for one in mine]])]:
        if time.monotonic() > deadline:
            raise GreenroomError(
                f"the subscription {working[0]} of the copy is disabled, and its worker does not end.",
                "Run again; is it in the middle of a large transaction?",
            )
        time.sleep(_PAUSE_SECONDS)


def _told(stopped: list[Subscription], *, idle: bool) -> Iterator[str]:
    if stopped:
        yield f"stopped in the copy: {_named(stopped)}, so that it receives nothing"
    if (ran := [one for one in stopped if one.enabled]) and not idle:
        received = f"the copy may have received what {_named(ran)} should bring the source"
        yield f"until it was stopped {received}: docs/engines.md"


def _told_left(left: list[Subscription]) -> Iterator[str]:
    if left:
        yield f"not stopped: {_named(left)}; if that database is of the copy too, it receives in the source's place"


def _named(subscriptions: list[Subscription]) -> str:
    many = "s" if len(subscriptions) > 1 else ""
    return f"the subscription{many} {', '.join(f'{one.name} of {one.database}' for one in subscriptions)}"
