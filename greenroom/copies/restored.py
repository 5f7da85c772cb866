"""A dump copy's story, whatever it is restored from: an empty database, roles, rows, statistics, a server made true."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from greenroom.console import Progress
from greenroom.copies import keeping
from greenroom.copies.acquiring import Acquired, CopyRequest, Method
from greenroom.copies.migrator import hindrances, migrator_of
from greenroom.copies.servers import Ahead, OwnServer, Place, place
from greenroom.postgres import branch, lease, old_wal, restoring, role_settings, roles
from greenroom.postgres.analysis import INCOMPLETE, analyse, settle
from greenroom.postgres.archive import Archive
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.holding import Held, held, held_with_server
from greenroom.postgres.lease import Lease
from greenroom.postgres.role_settings import RoleSetting
from greenroom.postgres.server import ServerFacts, connect, facts
from greenroom.postgres.statistics import Statistics

KeepSnapshot = Callable[[Place, str], None]


@dataclass
class Content:
    """What is restored. `archive` is whole, or tells of the schema alone; `fill` puts schema and rows into the target.

    It returns the source's statistics for the planner, where they are known.

    `settings` are the source's own, as far as they are known, and `role_settings` those of its roles. `masks` runs when
    the rows are there and nothing that depends on them is, and returns notes. `keep_snapshot` gets the server and the
    name of the database that is whole.
    """

    archive: Archive
    described: str
    method: Method
    client: Binaries
    fill: Callable[[restoring.Target, Callable[[], None] | None, Progress], list[Statistics] | None]
    source_facts: ServerFacts
    settings: Mapping[str, str] = field(default_factory=dict)
    role_settings: Sequence[RoleSetting] = ()
    masks: Callable[[restoring.Target], list[str]] | None = None
    keep_snapshot: KeepSnapshot | None = None
    notes: list[str] = field(default_factory=list)


@contextmanager
def restored(
    content: Content, request: CopyRequest, progress: Progress, ahead: Ahead | None = None
) -> Iterator[Acquired]:
    """Restore `content` where the request wants it, and drop the copy when the context ends. Raises GreenroomError.

    `ahead` is a server that may run already.
    """
    terms = Lease.new(branch=request.branch, source=content.described, hours=request.lease_hours, kept=request.keep)
    name = lease.copy_name(content.archive.contents.database or "dump", request.branch)
    with place(request, content.archive, terms, progress, ahead) as where, _holding(where, name, terms) as copy:
        _fill(content, where, copy, progress)
        if content.keep_snapshot and where.embedded:
            progress.step("keeping a snapshot of it for the next time")
            content.keep_snapshot(where, name)
        if where.own:
            progress.step("starting the server anew, with the source's settings")
            where.notes += made_true(where.own, content.settings)
        acquired = ready(where, copy, content.method, content.source_facts)
        copy.whole = True
        yield acquired
        if request.keep:
            keeping.keep(request, where, terms, acquired)
    acquired.dropped = copy.dropped and not request.keep
    acquired.notes += [copy.left_behind] if copy.left_behind else []


def made_true(server: OwnServer, settings: Mapping[str, str]) -> list[str]:
    """From loading to the source's settings, so that what is measured is true; returns what could not be taken over."""
    refused = server.durable(settings)
    return [f"settings of the source that do not hold here: {', '.join(refused)}"] if refused else []


def ready(where: Place, copy: Held, method: Method, source: ServerFacts) -> Acquired:
    """The copy as its migrating role sees it."""
    admin = where.maintenance.at(copy.name)
    migrates = migrator_of(admin, own=where.own is not None, nearest=where.nearest.at(copy.name))
    with connect(migrates.address) as connection:
        here, hindered = facts(connection), hindrances(connection)
    return Acquired(
        kind="dump copy",
        method=method,
        name=copy.name,
        label=where.label,
        address=migrates.address,
        admin=admin,
        lease_id=copy.lease.id,
        facts=here,
        source_facts=source,
        own_server=where.own is not None,
        held=copy,
        role=migrates.role,
        notes=[*where.notes, *migrates.notes, *hindered],
        size_bytes=here.size_bytes,
    )


@contextmanager
def _holding(where: Place, name: str, terms: Lease) -> Iterator[Held]:
    """On a server of our own the copy goes with the server."""
    if where.own:
        with held_with_server(where.maintenance, name, terms, nearest=where.nearest) as copy:
            yield copy
    else:
        with held(where.maintenance, name, terms.with_roles(where.missing), keep=terms.kept) as copy:
            yield copy


def _fill(content: Content, where: Place, copy: Held, progress: Progress) -> None:
    """The copy with everything in it."""
    archive = content.archive
    owner = next((e.owner for e in archive.contents.of_kind("DATABASE")), None) if where.ownership else None
    note = branch.create_empty(copy.connection, copy.name, None, archive.locale, file_copy=where.own is not None)
    _make_roles(archive, where, copy)
    if owner:
        branch.give(copy.connection, copy.name, owner)
    copy.grant()
    target = restoring.Target(
        where.nearest.at(copy.name),
        superuser=where.superuser,
        label=where.label,
        version_num=copy.connection.info.server_version,
        log=where.log,
        data=where.embedded.data if where.embedded else None,
        ownership=where.ownership,
        strange=branch.strange_tablespaces(copy.connection, copy.name, archive.tablespaces),
    )
    statistics = content.fill(target, _masking(content, target, where, progress), progress)
    with copy.sure() as connection:
        refused = branch.apply_statements(connection, copy.name, archive.properties)
        refused += _set_roles(content, where, connection)
    progress.step("vacuum and analyse")
    if where.own and note is None:  # in another locale, the bounds of histograms are in another order
        settled = settle(target.address, content.client, statistics)
    else:
        settled = [] if analyse(target.address, content.client) else [INCOMPLETE]
    with copy.sure() as connection:
        refused += branch.open_as(connection, copy.name, archive.privileges)
    where.notes += [
        *([note] if note else []),
        *([f"not applied to the copy: {', '.join(dict.fromkeys(refused))}"] if refused else []),
        *settled,
        *target.notes,
        *content.notes,
    ]


def _set_roles(content: Content, where: Place, connection: psycopg.Connection) -> list[str]:
    """On a server of our own, the source's settings of its roles; returns those that a role here lacks."""
    needed = roles.named_in(content.archive.contents)
    if where.own:
        return role_settings.give(connection, content.role_settings, needed)
    here = set(role_settings.of_roles(connection))
    return [
        f"{name} of {role}"
        for role, name, value in content.role_settings
        if role in needed and (role, name, value) not in here
    ]


def _masking(content: Content, target: restoring.Target, where: Place, progress: Progress) -> Callable[[], None] | None:
    """What runs between the rows and the indexes; None where nothing is masked."""
    masks = content.masks
    if masks is None:
        return None

    def mask() -> None:
        progress.step("masking")
        where.notes.extend(masks(target))
        target.masked = True
        if where.own:
            with connect(where.maintenance) as connection:
                old_wal.forget(connection)

    return mask


def _make_roles(archive: Archive, where: Place, copy: Held) -> None:
    """Stand-ins for roles that this server lacks; on a given one they go into the lease, and go with the copy."""
    if not where.ownership or not (where.own or where.missing):
        return
    holder = None if where.own else copy.name
    made = roles.make_stubs(copy.connection, roles.named_in(archive.contents), holder)
    copy.lease = copy.lease.with_roles(made)
