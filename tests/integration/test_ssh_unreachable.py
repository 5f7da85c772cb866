"""Hosts that cannot be reached: closed, unknown, silent, no sshd at all, or behind one that forwards nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom.ssh.connection import connected
from greenroom.ssh.dialling import Unreachable
from tests.integration.bastion import Bastion, bastion
from tests.integration.ssh_stage import no_agent, refused, two_hops, vpn

__all__ = ["no_agent", "two_hops", "vpn"]


def test_closed_port_says_vpn(vpn: Bastion) -> None:
    vpn.servers[0].stop()
    assert refused(vpn) == (
        f"cannot reach 127.0.0.1:{vpn.servers[0].port} within 5 s: is the VPN on? (connection refused)\n"
        "  Switch the VPN on, or correct `via`, then run again."
    )


def test_unknown_name_says_vpn(vpn: Bastion) -> None:
    assert refused(vpn, "nobody.invalid") == (
        "cannot reach nobody.invalid:22 within 5 s: is the VPN on? (its name is unknown here)\n"
        "  Switch the VPN on, or correct `via`, then run again."
    )


def test_silent_host_is_given_up_in_time(vpn: Bastion) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:  # the queue is full: further connections get no answer
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        vpn.configure(f"Port {full.getsockname()[1]}", "ConnectTimeout 1")
        began = time.monotonic()
        told = refused(vpn)
        assert time.monotonic() - began < 4
        for sock in waiting:
            sock.close()
    assert "within 1 s: is the VPN on? (no answer)\n" in told


def test_something_else_than_ssh_is_named(vpn: Bastion) -> None:
    with _hanging_up() as port:
        vpn.configure(f"Port {port}")
        told = refused(vpn)
    assert told.startswith(f"127.0.0.1:{port} answers, but not as an SSH server that lets anybody in: ")


def test_inner_host_that_is_down_is_named(two_hops: Bastion) -> None:
    two_hops.servers[1].stop()
    told = refused(two_hops)
    place = f"127.0.0.1:{two_hops.servers[1].port}"
    assert told.startswith(f"cannot reach {place} through 127.0.0.1 (it says: "), told
    assert told.endswith("\n  Check ProxyJump and HostName in ssh_config, and whether that host is up.")


def test_outer_host_that_forwards_nothing_is_named(tmp_path: Path) -> None:
    with bastion(tmp_path, options=["AllowTcpForwarding no"]) as made:
        made.configure("ProxyJump bastion", alias="beyond")
        with pytest.raises(Unreachable) as caught, connected("beyond", config=made.config):
            pass
    assert str(caught.value).startswith("cannot reach beyond:22 through 127.0.0.1 (forwarding is prohibited there).")


@contextmanager
def _hanging_up() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            try:
                accepted = server.accept()[0]
                accepted.sendall(b"220 mail.example.com ready\r\n")
                accepted.close()
            except OSError:
                return

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)
