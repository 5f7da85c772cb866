"""A connection that is interrupted half way is closed before anybody releases anything."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from greenroom.errors import Terminated
from greenroom.interrupts import raise_when_terminated
from greenroom.postgres import containers
from greenroom.postgres.address import Address
from greenroom.postgres.postmaster import Postmaster
from greenroom.postgres.server import connect
from greenroom.rehearsal.channel import Channel

LETS_IN = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"  # AuthenticationOk, ReadyForQuery
PATIENCE_SECONDS = 5.0
CONNECTING: dict[str, Callable[[Address], Any]] = {
    "connect": connect,
    "a channel": Channel,
    "a server of our own": lambda at: Postmaster.met(SimpleNamespace(local=at)),  # type: ignore[arg-type]
    "a container": lambda at: containers._wait_until_ready(None, at, ""),  # type: ignore[arg-type]
}


@contextmanager
def silent(stop: signal.Signals, answer: bytes = b"") -> Iterator[tuple[Address, list[socket.socket]]]:
    """Who gives that answer to the first words and then no other; the program is asked to stop while it waits."""
    before, peers = signal.getsignal(signal.SIGTERM), list[socket.socket]()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            peers.append(peer)
            peer.settimeout(PATIENCE_SECONDS)
            peer.recv(4096)
            if answer:
                peer.sendall(answer)
                peer.recv(4096)
            signal.raise_signal(stop)

        serving = threading.Thread(target=serve)
        serving.start()
        raise_when_terminated()
        try:
            yield Address("127.0.0.1", listener.getsockname()[1], "shop", "app", options={"sslmode": "disable"}), peers
        finally:
            serving.join()
            signal.signal(signal.SIGTERM, before)
            for peer in peers:
                peer.close()


@pytest.mark.parametrize(("stop", "raised"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)])
@pytest.mark.parametrize("how", CONNECTING)
def test_connection_that_is_interrupted_half_way_is_closed_at_once(
    how: str, stop: signal.Signals, raised: type[BaseException]
) -> None:
    """Its backend would wait for the rest as long as it is open, and DROP DATABASE for the backend."""
    with silent(stop) as (address, peers):
        with pytest.raises(raised) as interrupted:
            CONNECTING[how](address)
        assert interrupted.tb, "which holds the frames, as it does where something is released"
        assert peers[0].recv(1) == b""


def test_connection_that_is_interrupted_while_it_is_set_up_is_closed_at_once() -> None:
    with silent(signal.SIGTERM, LETS_IN) as (address, peers):
        with pytest.raises(Terminated) as interrupted:
            connect(address)
        assert interrupted.tb
        while peers[0].recv(4096):
            pass
