"""A dump copy: an archive of pg_dump, restored on a server of our own or on a given one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from greenroom.console import Progress
from greenroom.copies.acquiring import EMBEDDED, Acquired, CopyRequest
from greenroom.copies.migrator import Migrator, migrator_of
from greenroom.postgres import archive as archives
from greenroom.postgres import binaries as programs
from greenroom.postgres import branch, lease, restoring, roles
from greenroom.postgres.address import Address
from greenroom.postgres.analysis import analyse
from greenroom.postgres.archive import Archive
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.holding import Held, held, held_with_server
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import ServerFacts, connect, facts

# of pg_restore's sessions on a server of our own: the rehearsed sessions have the defaults that production has
_FAST = "-c maintenance_work_mem=256MB"


@dataclass
class Place:
    """Where it is restored: `maintenance` is the address that says CREATE DATABASE; `own` is None on a given server."""

    maintenance: Address
    label: str
    own: Server | None
    superuser: bool
    ownership: bool
    missing: tuple[str, ...]
    notes: list[str] = field(default_factory=list)


@contextmanager
def dump_copy(request: CopyRequest, progress: Progress) -> Iterator[Acquired]:
    """Check the archive, find a server, restore, and drop the copy when the context ends. Raises GreenroomError."""
    assert request.dump is not None
    archive = archives.inspect(request.dump)
    restorer = archives.restorer_for(archive)
    with _place(request, archive, progress) as place, _holding(request, archive, place) as copy:
        acquired = _restored(archive, restorer, place, copy, progress)
        copy.whole = True
        yield acquired
    acquired.dropped = copy.dropped
    if copy.left_behind:
        acquired.notes.append(copy.left_behind)


def server_for(archive: Archive) -> Binaries:
    """Of the source's own major version where it has the extensions, else the newest: what is closest is truest."""
    wanted = set(archive.extensions)
    same = [found for found in programs.found() if found.can_serve and found.major == archive.contents.server_major]
    return next((found for found in same if wanted <= found.extensions), programs.newest())


@contextmanager
def _place(request: CopyRequest, archive: Archive, progress: Progress) -> Iterator[Place]:
    if request.server != EMBEDDED:
        yield _given(Address.parse(request.server), archive)
        return
    progress.step("starting an embedded PostgreSQL server")
    with embedded(binaries=server_for(archive)) as server:
        with connect(server.address) as connection:
            _refuse(connection, archive, server.label)
        yield Place(server.address, server.label, server, superuser=True, ownership=True, missing=())


def _given(address: Address, archive: Archive) -> Place:
    maintenance = branch.maintenance(address)
    with connect(maintenance) as connection:
        _refuse(connection, archive, address.server)
        wanted, owners = roles.named_in(archive.contents), roles.owners_in(archive.contents)
        ownership = roles.may_own(connection, owners)
        missing = wanted - roles.existing(connection) if ownership and roles.may_create_roles(connection) else set()
        place = Place(maintenance, address.server, None, facts(connection).superuser, ownership, tuple(sorted(missing)))
    if not ownership:
        place.notes.append(
            f"{address.user} may not act for every role that owns something in the dump: restored without owners and "
            "privileges, so everything belongs to it"
        )
    return place


def _refuse(connection: psycopg.Connection, archive: Archive, label: str) -> None:
    archives.refuse_older_server(archive, connection.info.server_version // 10000, label)
    available = {name for (name,) in connection.execute("SELECT name FROM pg_available_extensions")}
    icu = connection.execute("SELECT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')").fetchone()
    archives.refuse_missing(archive, available, bool(icu and icu[0]), label)


@contextmanager
def _holding(request: CopyRequest, archive: Archive, place: Place) -> Iterator[Held]:
    name = lease.copy_name(archive.contents.database or "dump", request.branch)
    described = f"dump {archive.path.name}"
    terms = Lease.new(branch=request.branch, source=described, hours=request.lease_hours, kept=request.keep)
    if place.own:
        with held_with_server(place.maintenance, name, terms) as copy:
            yield copy
    else:
        with held(place.maintenance, name, terms.with_roles(list(place.missing)), keep=request.keep) as copy:
            yield copy


def _restored(archive: Archive, restorer: Binaries, place: Place, copy: Held, progress: Progress) -> Acquired:
    progress.step(f"restoring {archive.path.name}")
    _make_roles(archive, place, copy)
    owner = next((e.owner for e in archive.contents.of_kind("DATABASE")), None) if place.ownership else None
    note = branch.create_empty(copy.connection, copy.name, owner, archive.locale)
    copy.grant()
    target = restoring.Target(
        place.maintenance.at(copy.name),
        superuser=place.superuser,
        label=place.label,
        log=place.own.data.parent / "log" if place.own else None,
        ownership=place.ownership,
        options=_FAST if place.own else "",
    )
    restoring.restore_file(archive.path, target, restorer, progress)
    refused = branch.apply_statements(copy.connection, copy.name, [*archive.privileges, *archive.properties])
    progress.step("vacuum and analyse")
    analysed = analyse(target.address, restorer)
    migrates = migrator_of(target.address, place.own)
    place.notes += [
        *([note] if note else []),
        *([f"not applied to the copy: {', '.join(dict.fromkeys(refused))}"] if refused else []),
        *([] if analysed else ["not every table could be analysed"]),
        *([f"{len(target.passed_over)} owners, privileges or comments could not be set"] if target.passed_over else []),
        *migrates.notes,
        "a dump does not tell its server's settings (TimeZone, timeouts, memory): those of the copy's server hold",
    ]
    if place.own:
        place.own.durable()
    return _acquired(archive, place, copy, migrates)


def _make_roles(archive: Archive, place: Place, copy: Held) -> None:
    """Stand-ins for roles that this server lacks; on a given one they go into the lease, and go with the copy."""
    if not place.ownership or not (place.own or place.missing):
        return
    made = roles.make_stubs(copy.connection, roles.named_in(archive.contents))
    roles.become_able(copy.connection, made)
    copy.lease = copy.lease.with_roles(made)


def _acquired(archive: Archive, place: Place, copy: Held, migrates: Migrator) -> Acquired:
    with connect(migrates.address) as connection:
        here = facts(connection)
    return Acquired(
        kind="dump copy",
        method="restore",
        name=copy.name,
        label=place.label,
        address=migrates.address,
        admin=place.maintenance.at(copy.name),
        lease_id=copy.lease.id,
        facts=here,
        source_facts=_told(archive),
        own_server=place.own is not None,
        role=migrates.role,
        notes=place.notes,
        size_bytes=here.size_bytes,
    )


def _told(archive: Archive) -> ServerFacts:
    """What a dump tells of its server: the version."""
    contents = archive.contents
    return ServerFacts(contents.server_version.split(" ")[0], contents.server_major * 10000, timezone="")
