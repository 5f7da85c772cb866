"""How a target is reached: directly, or through a tunnel of its VPN host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from greenroom.config import PostgresTarget
from greenroom.postgres import passwords
from greenroom.postgres.address import Address


@dataclass(frozen=True)
class Reached:
    """A server that can be connected to: `address` from here, `real` as its own network knows it."""

    address: Address
    real: Address
    via: str | None


@contextmanager
def reached(target: PostgresTarget) -> Iterator[Reached]:
    """As long as the block lasts. Raises GreenroomError when the VPN host cannot be reached, or will not forward."""
    real = passwords.resolved(target)
    if target.via is None:
        yield Reached(real, real, None)
        return
    from greenroom.ssh.tunnel import tunnel

    with tunnel(target.via, real.host, real.port) as port:
        yield Reached(passwords.through(real, port), real, target.via)


def for_app(address: Address) -> Address:
    """The same for a program that knows host and port only: Django's settings have no `hostaddr`.

    The name of the certificate's owner is lost with it, so TLS stays and its verification is ours alone.
    """
    if "hostaddr" not in address.options:
        return address
    options = {key: value for key, value in address.options.items() if key not in ("hostaddr", "sslrootcert")}
    if options.get("sslmode", "").startswith("verify-"):
        options["sslmode"] = "require"
    return replace(address, host=address.options["hostaddr"], options=options)
