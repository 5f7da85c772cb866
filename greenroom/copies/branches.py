"""REMOTE: a branch, that is a copy of a database on its own server, named after the git branch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from greenroom.config import PostgresTarget
from greenroom.console import Progress
from greenroom.copies import far, keeping, origin
from greenroom.copies.acquiring import Acquired, CopyRequest, Method
from greenroom.copies.far import FarDump
from greenroom.copies.migrator import hindrances, migrator_of
from greenroom.copies.origin import Origin
from greenroom.copies.reach import Reached, for_app, reached
from greenroom.errors import GreenroomError
from greenroom.postgres import binaries as programs
from greenroom.postgres import branch as branches
from greenroom.postgres import copying, dumping, lease, masking, outside, readable, restoring, room
from greenroom.postgres.analysis import analyse
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.holding import Held, held
from greenroom.postgres.lease import Lease
from greenroom.postgres.lock_wait import patiently
from greenroom.postgres.masking import Rule
from greenroom.postgres.server import asking, connect, facts


@dataclass(frozen=True)
class Wanted:
    """The source as the request names it, and its target's rules."""

    name: str
    target: PostgresTarget
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Way:
    """How the rows get from the source to the branch: by `far` on the VPN host, else by `client` from here."""

    method: Method
    client: Binaries | None = None
    there: FarDump | None = None
    note: str | None = None


@contextmanager
def branch(request: CopyRequest, progress: Progress) -> Iterator[Acquired]:
    """Read the source, copy it on its server, and drop the branch when the context ends. Raises GreenroomError."""
    with ExitStack() as connections:
        wanted, found, way, notes = look(request, connections, progress)
        name = lease.copy_name(found.real.database, request.branch)
        terms = Lease.new(branch=request.branch, source=str(found.real), hours=request.lease_hours, kept=request.keep)
        maintenance = branches.maintenance(found.address)
        with held(
            maintenance, name, terms, keep=request.keep, real=found.real if found.via else None, via=found.via
        ) as copy:
            acquired = _copied(found, wanted, way, copy, progress)
            acquired.notes += notes
            copy.whole = True
            yield acquired
            if request.keep:
                acquired.drop_at = ("--target", request.target) if request.target else ()
                acquired.notes += [keeping.note(acquired)] if request.target else []
    acquired.dropped = copy.dropped
    if copy.left_behind:
        acquired.notes.append(copy.left_behind)


def look(request: CopyRequest, connections: ExitStack, progress: Progress) -> tuple[Wanted, Origin, Way, list[str]]:
    """Reach the source and hold everything against it that can be, before anything is made. Raises GreenroomError."""
    wanted, source = _source(request, connections, progress)
    found = origin.read(source, wanted.name, wanted.target.exclude_data, list(wanted.rules), progress)
    notes = _refuse(request, wanted, found, progress)
    return wanted, found, _way(request, wanted, found, connections), notes


def _source(request: CopyRequest, connections: ExitStack, progress: Progress) -> tuple[Wanted, Reached]:
    if request.address:
        given = request.address
        asked = PostgresTarget(host=given.host, port=given.port, name=given.database, user=given.user)
        return Wanted(given.server, asked), Reached(given, given, None)
    assert request.target is not None
    target = request.config.target(request.target)
    assert isinstance(target, PostgresTarget)
    if target.via:
        progress.step(f"connecting to {target.via}")
    rules = tuple(masking.rules(target.masks, request.target))
    wanted = Wanted(request.target, target, rules)
    return wanted, connections.enter_context(reached(target))


def _refuse(request: CopyRequest, wanted: Wanted, found: Origin, progress: Progress) -> list[str]:
    """What must not be, or does not fit, before anything is made; returns what could not be checked."""
    if request.template and (wanted.rules or wanted.target.exclude_data):
        raise GreenroomError(
            f"--template copies {found.real.database} as it is, and {wanted.name} has masks or exclude_data.",
            "Leave --template out: then rows are masked before anybody can read the branch.",
        )
    with asking(found.real), connect(found.address, read_only=True) as connection:
        branches.refuse_standby(connection, found.real.server)
        branches.refuse_no_createdb(connection, found.real.server)
        if request.keep and wanted.target.sensitive:
            masking.refuse_uncovered(connection, wanted.rules, wanted.name, large_objects=found.large_objects)
        if not request.template:
            readable.refuse_unreadable(connection, found.real, found.excluded, large_objects=found.large_objects)
        size, rewritten = patiently(
            connection, found.real, progress, lambda: origin.sizes(connection, found.excluded, wanted.rules)
        )
        return room.refuse_no_room_on_server(connection, wanted.target, size, rewritten_bytes=rewritten)


def _way(request: CopyRequest, wanted: Wanted, found: Origin, connections: ExitStack) -> Way:
    """Before anything is made: is there a pg_dump that can, next to the server or here? Raises GreenroomError."""
    if request.template:
        return Way("template")
    note = None
    if wanted.target.via and (found.mapped_servers or found.has_cron):
        note = "pg_restore takes user mappings out of a pipe as they come: copied through a tunnel, without them"
        if not found.mapped_servers:
            note = "pg_restore takes pg_cron out of a pipe as it comes: copied through a tunnel, without it"
    elif wanted.target.via and not wanted.rules:
        from greenroom.ssh.connection import connected

        there = far.far_dump(connections.enter_context(connected(wanted.target.via)), found)
        if isinstance(there, FarDump):
            return Way("pipe", there=there)
        note = f"{there.why}: copied through a tunnel"
    return Way("copy", programs.client_for(found.facts.major, tls=found.facts.tls), note=note)


def _copied(found: Origin, wanted: Wanted, way: Way, copy: Held, progress: Progress) -> Acquired:
    target = copy.maintenance.at(copy.name)
    notes = (
        _by_template(found, copy, progress) if way.method == "template" else _filled(found, wanted, way, copy, progress)
    )
    with copy.sure() as connection:
        refused = branches.apply_settings(connection, copy.name, found.settings)
        refused += branches.open_as(connection, copy.name, found.privileges)
    migrates = migrator_of(target, own=False)
    with connect(migrates.address) as connection:
        here, hindered = facts(connection), hindrances(connection)
    return Acquired(
        kind="branch",
        method=way.method,
        name=copy.name,
        label=found.real.server,
        address=for_app(migrates.address),
        admin=target,
        lease_id=copy.lease.id,
        facts=here,
        source_facts=found.facts,
        forward=keeping.forward(found.via, found.real, migrates.address.port),
        held=copy,
        role=migrates.role,
        notes=[
            *notes,
            *_left_behind(found, way),
            *_refused(refused),
            *migrates.notes,
            *hindered,
            *_tunnel_notes(found),
        ],
        size_bytes=here.size_bytes,
        disk_gb=wanted.target.disk_gb,
    )


def _by_template(found: Origin, copy: Held, progress: Progress) -> list[str]:
    progress.step(f"copying {found.real.database} by TEMPLATE: new connections to it wait")
    owner = found.facts.owner if found.ownership else None
    branches.create_by_template(copy.connection, copy.name, found.real.database, owner)
    copy.grant()
    with connect(copy.maintenance.at(copy.name)) as connection:
        outside.drop_mappings(connection, "the branch", "Leave --template out: then they are not copied.")
    return []


def _filled(found: Origin, wanted: Wanted, way: Way, copy: Held, progress: Progress) -> list[str]:
    """An empty database, then schema and rows; nobody is asked to disconnect from the source."""
    owner = found.facts.owner if found.ownership else None
    note = branches.create_empty(copy.connection, copy.name, owner, found.locale)
    copy.grant()
    target = restoring.Target(
        copy.maintenance.at(copy.name),
        superuser=found.facts.superuser,
        label=found.real.server,
        version_num=found.facts.version_num,
        ownership=found.ownership,
        strange=_strange(found, copy),
    )
    masked: list[str] = []
    _fill(found, way, target, _masking(wanted, target, masked, progress), progress)
    progress.step("vacuum and analyse")
    analysed = analyse(target.address, way.client or programs.client_for(found.facts.major, tls=found.facts.tls))
    return [
        *([note] if note else []),
        *([way.note] if way.note else []),
        *([] if found.ownership else [_belongs_to_user(found)]),
        *([] if analysed else ["not every table could be analysed"]),
        *target.notes,
        *found.left_out_notes,
        *masked,
    ]


def _strange(found: Origin, copy: Held) -> list[str]:
    """Tablespaces of the source's in which its role may make nothing."""
    with asking(found.real), connect(found.address, read_only=True) as connection:
        used = branches.tablespaces_of(connection)
    return branches.strange_tablespaces(copy.connection, copy.name, used)


def _belongs_to_user(found: Origin) -> str:
    remedy = "; ".join(found.needed_to_own)
    return (
        f"{found.real.user} may not act for every owner: everything in the copy belongs to it; a superuser can change "
        f"that: {remedy}"
    )


def _fill(
    found: Origin, way: Way, target: restoring.Target, before_indexes: Callable[[], None] | None, progress: Progress
) -> None:
    if way.there:
        progress.step(f"copying {found.real.database} by pg_dump | pg_restore on {way.there.host.label}")
        far.pipe(way.there, found, target, progress)
        return
    assert way.client is not None
    progress.step(f"copying {found.real.database} beside itself, in parallel")
    copying.copy_database(
        found.address,
        target,
        way.client,
        progress,
        exclude_data=found.exact_names,
        options=found.dump_options,
        before_indexes=before_indexes,
    )


def _masking(
    wanted: Wanted, target: restoring.Target, masked: list[str], progress: Progress
) -> Callable[[], None] | None:
    if not wanted.rules:
        return None

    def mask() -> None:
        progress.step("masking")
        with connect(target.address) as connection:
            masked.extend(masking.apply(connection, list(wanted.rules)))
        target.masked = True

    return mask


def _tunnel_notes(found: Origin) -> list[str]:
    if found.via is None:
        return []
    return [f"what runs on it goes through {found.via}: each statement's time holds the way there and back"]


def _left_behind(found: Origin, way: Way) -> list[str]:
    """A copy by TEMPLATE has pg_cron too, which looks for jobs in the one database that the server names."""
    cron = found.has_cron and way.method != "template"
    return dumping.left_behind(found.subscriptions, found.mapped_servers, cron=cron)


def _refused(names: list[str]) -> list[str]:
    return [f"not applied to the copy: {', '.join(dict.fromkeys(names))}"] if names else []
