"""Further databases with what a copy holds now, for experiments that must not touch the copy itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import psycopg

from greenroom.copies.acquiring import Acquired, CopyRequest
from greenroom.errors import GreenroomError
from greenroom.postgres import branch, lease, room
from greenroom.postgres.address import Address
from greenroom.postgres.holding import Held, held, held_in_passing
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import connect

ROOM_SHARE = 1.2  # of the copy: the clone, and what the experiment writes


@contextmanager
def cloned(copy: Acquired, request: CopyRequest) -> Iterator[Acquired]:
    """A database of its own, leased, with owner, settings and privileges of the copy; dropped when the block ends.

    Nobody may be connected to the copy while it is made. Raises GreenroomError when it cannot be made.
    """
    with connect(copy.admin) as connection:
        settings, privileges = branch.settings_of(connection), branch.privileges_of(connection)
        owner = _owner(connection)
        _refuse_no_room(connection, copy)
    maintenance = copy.held.maintenance if copy.held else branch.maintenance(copy.admin)
    terms = Lease.new(branch=request.branch, source=copy.name, hours=request.lease_hours)
    terms = terms.with_roles(copy.held.lease.roles if copy.held and not copy.own_server else ())
    database = copy.admin.database  # the copy's name is the engine's, where an engine made it
    name = lease.copy_name(database.partition("__")[0], request.branch)
    with _holding(copy, maintenance, name, terms) as clone:
        branch.create_by_template(clone.connection, name, database, owner, file_copy=copy.own_server)
        clone.grant()
        with clone.sure() as connection:
            branch.apply_settings(connection, name, settings)
            branch.open_as(connection, name, privileges)
        clone.whole = True
        yield replace(
            copy,
            name=name,
            address=copy.address.at(name),
            admin=copy.admin.at(name),
            lease_id=terms.id,
            held=clone,
            notes=[],
        )


def _holding(copy: Acquired, maintenance: Address, name: str, terms: Lease) -> AbstractContextManager[Held]:
    """Where the server goes with the copy, nothing has to be written down for one that finds it later.

    A command's goes with it, or is one that others use: nobody knows.
    """
    if copy.held and not copy.own_server:
        return held(maintenance, name, terms, keep=False, real=copy.held.real, via=copy.held.via)
    if copy.method == "command":
        return held(maintenance, name, terms, keep=False)
    return held_in_passing(maintenance, name, terms)


def _owner(connection: psycopg.Connection) -> str | None:
    row = connection.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    ).fetchone()
    return row[0] if row else None


def _refuse_no_room(connection: psycopg.Connection, copy: Acquired) -> None:
    """Raises GreenroomError where the disk is known to be too full for another one."""
    found, needed = room.server_room(connection, copy.disk_gb), int(copy.size_bytes * ROOM_SHARE)
    if found and found.free < needed:
        raise GreenroomError(
            f"{copy.label} has {room.told(found.free)} free, and a clone of the copy needs about {room.told(needed)}.",
            "Make room there, or choose fewer experiments: --drills back",
        )
