"""A connection to the VPN host whose every hop is verified.

Fabric by itself accepts unknown and even changed host keys, and builds jump hosts as plain connections. So each hop
is a Fabric connection of its own here, with its own socket, known_hosts files and keys; StrictHostKeyChecking in
ssh_config changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import fabric
import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.ssh import transport
from greenroom.ssh.dialling import LOST, Unreachable, dialled
from greenroom.ssh.host import Host
from greenroom.ssh.identities import Identities
from greenroom.ssh.known_hosts import Verifying, algorithms
from greenroom.ssh.route import Hop, as_typed, route


@contextmanager
def connected(via: str, *, config: Path | None = None) -> Iterator[Host]:
    """Connect to `via`, USER@HOST, USER@HOST:PORT or an alias of ssh_config, for as long as the block lasts.

    `config` is another ssh_config than ~/.ssh/config and /etc/ssh/ssh_config. Raises Unreachable when a hop cannot be
    reached, and GreenroomError when its key is unknown, changed or revoked, or it takes none of our keys.
    """
    hops = route(via, config)
    with ExitStack() as opened:
        last: paramiko.Transport | None = None
        for hop in hops:
            last = opened.enter_context(_opened(hop, last, as_typed(via, config)))
        assert last is not None
        yield Host(last, hops[-1].label, via, config, partial(connected, via, config=config))


@contextmanager
def _opened(hop: Hop, before: paramiko.Transport | None, ssh: str) -> Iterator[paramiko.Transport]:
    with dialled(hop, before) as sock:
        connection = _connection(hop, sock, ssh)
        try:
            _open(hop, connection)
            yield connection.transport
        finally:
            with shielded(), suppress(*LOST):
                connection.client.close()


def _connection(hop: Hop, sock: Any, ssh: str) -> Any:
    """Fabric's, with nothing of its own configuration: neither its files nor its reading of ssh_config."""
    verifying = Verifying(hop, ssh)
    connection = fabric.Connection(
        hop.host,
        user=hop.user,
        port=hop.port,
        gateway=False,
        config=fabric.Config(ssh_config=paramiko.SSHConfig(), lazy=True),
        connect_kwargs={
            "sock": sock,
            "transport_factory": transport.factory(partial(algorithms, verifying.lines)),
            "auth_strategy": Identities(hop, ssh),
            "banner_timeout": transport.BANNER_SECONDS,
            "auth_timeout": transport.AUTH_SECONDS,
            "channel_timeout": transport.CHANNEL_SECONDS,
        },
    )
    connection.client.set_missing_host_key_policy(verifying)
    return connection


def _open(hop: Hop, connection: Any) -> None:
    try:
        connection.open()
    except IncompatiblePeer as error:
        raise GreenroomError(
            f"{hop.place} and Greenroom have no way to encrypt in common: {error}.",
            "Have a current OpenSSH installed there.",
        ) from error
    except LOST as error:
        raise Unreachable(
            f"{hop.place} answers, but not as an SSH server that lets anybody in: {error or 'it hangs up'}.",
            "Check host and port; a busy server (MaxStartups) may let you in a moment later.",
        ) from error
