"""As which role the migration runs: an ordinary one that owns what the source's role owns."""

from __future__ import annotations

from dataclasses import dataclass, field

import psycopg

from greenroom.postgres import event_triggers, roles
from greenroom.postgres.address import Address
from greenroom.postgres.server import connect, with_options


@dataclass(frozen=True)
class Migrator:
    """How the migrating session connects to the copy; `role` is what it must SET ROLE to, None: what it logs in as."""

    address: Address
    role: str | None = None
    notes: list[str] = field(default_factory=list)


def migrator_of(copy: Address, own: bool, nearest: Address | None = None) -> Migrator:
    """Find the role that owns the tables of a copy that the superuser of our `own` server, or the given user, made.

    `nearest` is another way to it, for the one who asks.

    On a server of our own that role gets a password, so that it logs in itself and its settings apply. On a given one
    the given user becomes it by SET ROLE, where it may.
    """
    with connect(nearest or copy) as connection:
        owner = roles.owner_of_tables(connection)
        user = connection.info.user
        if own and owner != user:
            others = roles.owners_of(connection) - {user}
            password = roles.let_in(connection, owner, others)
            return Migrator(copy.as_role(owner, password), notes=_members(owner, others - {owner}))
        if owner == user:
            superuser = connection.info.parameter_status("is_superuser") == "on"
            notes = [f"the migration runs as {user}, a superuser"] if superuser else []
            if own and connection.info.server_version >= event_triggers.SETTING:  # they are off for ours
                copy = with_options(copy, event_triggers.ON)
            return Migrator(copy, notes=notes)
        if roles.may_become(connection, owner):
            address = with_options(copy, f"-c role={_escaped(owner)}")
            note = f"{user} becomes {owner} by SET ROLE: settings of ALTER ROLE {owner} do not apply"
            return Migrator(address, owner, [note])
    return Migrator(copy, notes=[f"{user} may not become {owner}, so the migration runs as {user}"])


def hindrances(migrating: psycopg.Connection) -> list[str]:
    """What of the migrating role's own settings, which hold for it as on the source, will end its migration."""
    row = migrating.execute(
        "SELECT reset_val = 'on' FROM pg_settings WHERE name = 'default_transaction_read_only'"
    ).fetchone()
    if row is None or not row[0]:
        return []
    user = migrating.info.user
    return [f"{user} only reads unless told otherwise (default_transaction_read_only = on): migrations fail by that"]


def _members(owner: str, others: set[str]) -> list[str]:
    if not others:
        return []
    return [f"a dump tells no memberships of roles: {owner} was made a member of {', '.join(sorted(others))}"]


def _escaped(value: str) -> str:
    r"""As libpq's `options` take it: blanks and backslashes behind a backslash."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
