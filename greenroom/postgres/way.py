"""How a server is reached again: directly, or through the VPN host that the journal or a target names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from greenroom.config import PostgresTarget
from greenroom.postgres import passwords
from greenroom.postgres.address import Address
from greenroom.postgres.journal import Intent


@dataclass(frozen=True)
class Way:
    """A server: `real` is its address as its own network knows it, behind the VPN host `via` where there is one."""

    real: Address
    via: str | None = None

    @classmethod
    def to_target(cls, target: PostgresTarget) -> Way:
        """With the target's password. Raises GreenroomError where that is not to be had."""
        return cls(passwords.resolved(target), target.via)

    def leads_to(self, intent: Intent) -> bool:
        """Whether the intent is of this server: behind two VPN hosts one address may be two servers."""
        return (intent.host, intent.port, intent.via) == (self.real.host, self.real.port, self.via)

    @contextmanager
    def opened(self) -> Iterator[Address]:
        """The address from here, as long as the block lasts. Raises GreenroomError when there is no way through."""
        if self.via is None:
            yield self.real
            return
        from greenroom.ssh.tunnel import tunnel

        with tunnel(self.via, self.real.host, self.real.port) as port:
            yield passwords.through(self.real, port)


def target_of(intent: Intent, targets: Iterable[PostgresTarget]) -> PostgresTarget | None:
    """The target that it was made for."""
    made_for = (intent.host, intent.port, intent.via, intent.user)
    return next((found for found in targets if (found.host, found.port, found.via, found.user) == made_for), None)


def way_of(intent: Intent, targets: Iterable[PostgresTarget]) -> Way:
    """To the server of an intent, with the password of the target that it was made for. Raises GreenroomError.

    Where no target is of that server and user, the password is that of PGPASSWORD or ~/.pgpass.
    """
    address = intent.address
    if target := target_of(intent, targets):
        return Way(address.as_role(address.user, passwords.resolved(target).password), intent.via)
    if intent.via is None:
        return Way(address)
    found = PostgresTarget(host=address.host, port=address.port, name=address.database, user=address.user)
    return Way(address.as_role(address.user, passwords.resolved(found).password), intent.via)
