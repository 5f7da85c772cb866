"""A copy that an engine makes: an Aurora clone, an RDS instance restored from a snapshot, or a command's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import psycopg

from greenroom.config import AuroraTarget, CommandTarget, PostgresTarget, RdsTarget
from greenroom.console import Progress
from greenroom.copies import keeping, strangers
from greenroom.copies.acquiring import Acquired, CopyRequest
from greenroom.copies.migrator import migrator_of
from greenroom.copies.reach import for_app
from greenroom.errors import GreenroomError
from greenroom.postgres import dumping, lease, masking, outside, passwords, receiving, roles, workers
from greenroom.postgres.address import Address
from greenroom.postgres.engines.acquiring import engine_copy
from greenroom.postgres.engines.engine_copy import EngineCopy
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import connect, facts
from greenroom.secret import Secret

Target = AuroraTarget | RdsTarget | CommandTarget
_LET_IT_DROP = (
    "Let it act for that server's owner ({grant}), name the owner as the target's user, or let a command's acquire say "
    "{drop}: docs/engines.md."
)
_LET_IT_STOP = (
    "Let it act for that subscription's owner ({grant}), or give the copy's server "
    "max_logical_replication_workers = 0: docs/engines.md."
)


@contextmanager
def clone(request: CopyRequest, progress: Progress) -> Iterator[Acquired]:
    """Have the engine make a copy, put the lease on it, and end it when the context ends. Raises GreenroomError."""
    name, target = _target(request)
    _refuse(request, target)
    terms = Lease.new(branch=request.branch, source=name, hours=request.lease_hours, kept=request.keep)
    database = name if isinstance(target, CommandTarget) else target.name
    password = None if isinstance(target, CommandTarget) else _password(target)
    made = engine_copy(target, lease.copy_name(database, request.branch), terms, password, progress, keep=request.keep)
    with made as copy, ExitStack() as tunnels:
        copy.whole = False  # not before it is masked
        _refuse_strangers(request, target, copy)
        acquired = _ready(target, name, copy, terms, _reached(target, copy, tunnels), progress)
        acquired.notes += _tunnel_notes(target)
        copy.whole = True
        yield acquired
        if request.keep:
            acquired.drop_at = ("--target", name)
            acquired.notes.append(keeping.note(acquired))
    acquired.dropped = copy.dropped


def _target(request: CopyRequest) -> tuple[str, Target]:
    assert request.target is not None
    target = request.config.target(request.target)
    assert not isinstance(target, PostgresTarget)
    return request.target, target


def _password(target: AuroraTarget | RdsTarget) -> Secret | None:
    """The source role's is the copy's too. In ~/.pgpass the source's identifier stands for the host."""
    host = target.cluster if isinstance(target, AuroraTarget) else target.instance
    return passwords.password_of(target, host=host, port=5432)


def _refuse(request: CopyRequest, target: Target) -> None:
    if request.keep and target.sensitive:
        raise GreenroomError(
            f"{request.target} is sensitive, and a copy that its engine makes holds all of it until it is masked: "
            "none is kept.",
            "Leave --keep out.",
        )


def _refuse_strangers(request: CopyRequest, target: Target, copy: EngineCopy) -> None:
    """AWS says itself what it has made for us; of what a command prints nobody knows. Raises GreenroomError."""
    strangers.refuse_targets_own(request.config, copy.address)
    if isinstance(target, CommandTarget):
        strangers.refuse_known(request.config, copy.address)


def _reached(target: Target, copy: EngineCopy, tunnels: ExitStack) -> Address:
    """The copy's address from here."""
    via = _via(target)
    if via is None:
        return copy.address
    from greenroom.ssh.tunnel import tunnel

    port = tunnels.enter_context(tunnel(via, copy.address.host, copy.address.port))
    return passwords.through(copy.address, port)


def _via(target: Target) -> str | None:
    return None if isinstance(target, CommandTarget) else target.via


def _tunnel_notes(target: Target) -> list[str]:
    via = _via(target)
    if via is None:
        return []
    return [f"what runs on it goes through {via}: each statement's time holds the way there and back"]


def _ready(target: Target, name: str, copy: EngineCopy, terms: Lease, address: Address, progress: Progress) -> Acquired:
    notes = [*copy.notes, *_cut_off(target, address), *_masked(target, name, address, progress)]
    _grant(address, terms)
    migrates = migrator_of(address, own=False)
    with connect(migrates.address) as connection:
        here = facts(connection)
    return Acquired(
        kind="clone",
        method=copy.method,
        name=copy.name,
        label=copy.label,
        address=for_app(migrates.address),
        admin=address,
        lease_id=terms.id,
        facts=here,
        forward=keeping.forward(_via(target), copy.address, address.port),
        role=migrates.role,
        notes=[*notes, *migrates.notes],
        size_bytes=here.size_bytes,
    )


def _cut_off(target: Target, address: Address) -> list[str]:
    """What leads from the copy to others goes first: masks and migrations have triggers.

    AWS makes a whole server; a command may have made a database on one where others have theirs.
    """
    whole_server = not isinstance(target, CommandTarget)
    stopped = receiving.stop_subscriptions(address, _LET_IT_STOP, whole_server=whole_server)
    with connect(address) as connection:
        servers = outside.drop_mappings(connection, "the copy", _LET_IT_DROP)
        told = workers.notes(connection)
    return [*stopped, *dumping.left_behind([], servers), *told]


def _masked(target: Target, name: str, address: Address, progress: Progress) -> list[str]:
    if not target.masks:
        return []
    progress.step("masking")
    rules = masking.rules(target.masks, name)
    with connect(address) as connection:
        masking.check(connection, rules, name)
        return masking.apply(connection, rules)


def _grant(address: Address, terms: Lease) -> None:
    """The agent asks the database itself for its lease before anything runs. It says that an engine ends this copy."""
    with connect(address) as connection:
        try:
            lease.grant(connection, address.database, replace(terms, engine=True))
        except psycopg.errors.ReadOnlySqlTransaction as error:
            raise GreenroomError(
                f"{address.database} on {address.server} cannot be written to, so it cannot be migrated.",
                "Is it a replica, or does the role have default_transaction_read_only?",
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            grant = roles.to_act_for(facts(connection).owner, address.user)
            raise GreenroomError(
                f"{address.user} may not put the lease on {address.database}: it does not own that database.",
                f"Name its owner as the target's user, or let it: {grant}.",
            ) from error
