"""A branch: a copy of a database on its own server, named after the git branch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from greenroom.console import Progress
from greenroom.copies.acquiring import Acquired, CopyRequest
from greenroom.copies.migrator import migrator_of
from greenroom.postgres import binaries as programs
from greenroom.postgres import branch as branches
from greenroom.postgres import lease, restoring, roles
from greenroom.postgres.address import Address
from greenroom.postgres.analysis import analyse
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.holding import Held, held
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import ServerFacts, connect, facts


@dataclass(frozen=True)
class Origin:
    """What was read of the source, in a session that cannot write, before anything is made."""

    address: Address
    facts: ServerFacts
    locale: str
    settings: list[tuple[str | None, str, str]]
    privileges: list[str]
    ownership: bool


@contextmanager
def branch(request: CopyRequest, progress: Progress) -> Iterator[Acquired]:
    """Read the source, copy it on its server, and drop the copy when the context ends. Raises GreenroomError."""
    address = request.address
    assert address is not None
    progress.step(f"reading {address.database} on {address.server}")
    origin = _read(address)
    # before anything is made: is there a pg_dump that can?
    client = None if request.template else programs.client_for(origin.facts.major, tls=origin.facts.tls)
    name = lease.copy_name(address.database, request.branch)
    terms = Lease.new(branch=request.branch, source=str(address), hours=request.lease_hours, kept=request.keep)
    with held(branches.maintenance(address), name, terms, keep=request.keep) as copy:
        acquired = _copied(origin, client, copy, progress)
        copy.whole = True
        yield acquired
    acquired.dropped = copy.dropped
    if copy.left_behind:
        acquired.notes.append(copy.left_behind)


def _read(address: Address) -> Origin:
    with connect(address, read_only=True) as connection:
        return Origin(
            address,
            facts(connection),
            branches.locale_of(connection),
            branches.settings_of(connection),
            branches.privileges_of(connection),
            roles.may_own(connection, roles.owners_of(connection)),
        )


def _copied(origin: Origin, client: Binaries | None, copy: Held, progress: Progress) -> Acquired:
    target = copy.maintenance.at(copy.name)
    notes = _by_pipe(origin, client, copy, progress) if client else _by_template(origin, copy, progress)
    wanted = [*branches.apply_settings(copy.connection, copy.name, origin.settings)]
    wanted += branches.apply_statements(copy.connection, copy.name, origin.privileges)
    migrates = migrator_of(target, None)
    with connect(migrates.address) as connection:
        here = facts(connection)
    return Acquired(
        kind="branch",
        method="pipe" if client else "template",
        name=copy.name,
        label=origin.address.server,
        address=migrates.address,
        admin=target,
        lease_id=copy.lease.id,
        facts=here,
        source_facts=origin.facts,
        role=migrates.role,
        notes=[*notes, *_refused(wanted), *migrates.notes],
        size_bytes=here.size_bytes,
    )


def _by_template(origin: Origin, copy: Held, progress: Progress) -> list[str]:
    progress.step(f"copying {origin.address.database} by TEMPLATE: new connections to it wait")
    owner = origin.facts.owner if origin.ownership else None
    branches.create_by_template(copy.connection, copy.name, origin.address.database, owner)
    copy.grant()
    return []


def _by_pipe(origin: Origin, client: Binaries, copy: Held, progress: Progress) -> list[str]:
    progress.step(f"copying {origin.address.database} by pg_dump | pg_restore")
    owner = origin.facts.owner if origin.ownership else None
    note = branches.create_empty(copy.connection, copy.name, owner, origin.locale)
    copy.grant()
    target = restoring.Target(
        copy.maintenance.at(copy.name),
        superuser=origin.facts.superuser,
        label=origin.address.server,
        ownership=origin.ownership,
    )
    restoring.restore_from(origin.address, target, client, progress)
    progress.step("vacuum and analyse")
    analysed = analyse(target.address, client)
    user = origin.address.user
    return [
        *([note] if note else []),
        *([] if origin.ownership else [f"{user} may not act for every owner: everything in the copy belongs to it"]),
        *([] if analysed else ["not every table could be analysed"]),
        *([f"{len(target.passed_over)} owners, privileges or comments could not be set"] if target.passed_over else []),
    ]


def _refused(names: list[str]) -> list[str]:
    return [f"not applied to the copy: {', '.join(dict.fromkeys(names))}"] if names else []
