"""Tunnels through a real host: both ways at once, many at once, and gone when we are."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from greenroom.ssh.tunnel import tunnel
from tests.integration.bastion import Bastion, bastion
from tests.integration.sshd import until

BULK = 50_000_000

# opens a tunnel, says its port, and waits
HOLDER = """
import sys, time
from greenroom.ssh.tunnel import tunnel
with tunnel(sys.argv[1], "127.0.0.1", int(sys.argv[2])) as port:
    print(port, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def vpn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    with bastion(tmp_path) as made:
        monkeypatch.setenv("HOME", str(made.home))
        yield made


@contextmanager
def service(answer: Callable[[socket.socket], None], port: int = 0) -> Iterator[int]:
    """A port on which every connection is answered in a thread of its own."""
    with socket.create_server(("127.0.0.1", port), backlog=64) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()

        def one(sock: socket.socket) -> None:
            with sock, suppress(OSError):
                answer(sock)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def echo(sock: socket.socket) -> None:
    while piece := sock.recv(1 << 16):
        sock.sendall(piece)


def sum_then_say(sock: socket.socket) -> None:
    """The answer comes only after the end of what is sent: the half-closed connection must stay."""
    summed = hashlib.sha256()
    while piece := sock.recv(1 << 16):
        summed.update(piece)
    sock.sendall(summed.hexdigest().encode())


def exchanged(port: int, content: bytes) -> bytes:
    """Send it all, say that this was the end, and read to the end meanwhile."""
    with socket.create_connection(("127.0.0.1", port)) as sock:

        def send() -> None:
            sock.sendall(content)
            sock.shutdown(socket.SHUT_WR)

        sending = threading.Thread(target=send)
        sending.start()
        found = b"".join(iter(lambda: sock.recv(1 << 18), b""))
        sending.join()
        return found


def open_port(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_fifty_megabytes_go_both_ways_at_once(vpn: Bastion) -> None:
    content = random.Random(3).randbytes(BULK)
    with service(echo) as far, tunnel(vpn.via, "127.0.0.1", far) as near:
        assert exchanged(near, content) == content


def test_many_connections_at_once_and_half_closed(vpn: Bastion) -> None:
    contents = [random.Random(number).randbytes(1_000_000 + number) for number in range(12)]
    with service(sum_then_say) as far, tunnel(vpn.via, "127.0.0.1", far) as near, ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda content: exchanged(near, content), contents))
    assert found == [hashlib.sha256(content).hexdigest().encode() for content in contents]


def test_postgresql_is_reached_in_parallel(vpn: Bastion, server18: Server) -> None:
    with tunnel(vpn.via, server18.address.host, server18.address.port) as near, ThreadPoolExecutor(4) as pool:
        address = replace(server18.address, host="127.0.0.1", port=near)

        def ask(number: int) -> object:
            with connect(address) as connection:
                row = connection.execute("SELECT %s + length(repeat('x', 5000000))", [number]).fetchone()
                return row and row[0]

        assert list(pool.map(ask, range(8))) == [5_000_000 + number for number in range(8)]


def test_tunnel_is_gone_after_the_block_and_its_connections_with_it(vpn: Bastion) -> None:
    with service(echo) as far:
        with tunnel(vpn.via, "127.0.0.1", far) as near:
            sock = socket.create_connection(("127.0.0.1", near))
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
        with sock, suppress(ConnectionError):
            assert sock.recv(1) == b""
        assert not open_port(near)
    vpn.settle()


def test_tunnel_ends_when_our_process_is_killed(vpn: Bastion) -> None:
    with service(echo) as far:
        words = [sys.executable, "-c", HOLDER, vpn.via, str(far)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ}) as ours:
            assert ours.stdout
            near = int(ours.stdout.readline())
            assert open_port(near)
            ours.kill()
        until(lambda: not open_port(near), "the tunnel is still there", 5)
        until(lambda: vpn.cut() == 0, "its session is still there", 5)


def test_cut_connection_is_an_error_and_is_named(vpn: Bastion) -> None:
    def use(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
            vpn.cut()
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
        until(lambda: not open_port(port), "the tunnel is still there", 5)
        socket.create_connection(("127.0.0.1", port))

    with service(echo) as far, pytest.raises(GreenroomError) as caught, tunnel(vpn.via, "127.0.0.1", far) as near:
        use(near)
    assert str(caught.value).startswith("the connection to ")
    assert str(caught.value).endswith(" was lost.\n  Is the VPN still on? Run it again.")


def test_error_of_the_block_comes_through_while_the_tunnel_stands(vpn: Bastion) -> None:
    with service(echo) as far, pytest.raises(psycopg.Error, match="mine"), tunnel(vpn.via, "127.0.0.1", far):
        raise psycopg.OperationalError("mine")


def test_port_that_the_host_does_not_reach_is_named(vpn: Bastion) -> None:
    with service(echo) as far:
        pass
    with pytest.raises(GreenroomError) as caught, tunnel(vpn.via, "127.0.0.1", far):
        pass
    assert " cannot reach 127.0.0.1:" in str(caught.value)
    assert str(caught.value).endswith("\n  Correct host and port; they are seen from the VPN host.")


def test_forwarding_that_is_prohibited_is_named(tmp_path: Path) -> None:
    with bastion(tmp_path, options=["AllowTcpForwarding no"]) as made:
        with pytest.raises(GreenroomError) as caught, tunnel(made.via, "db.internal", 5432, config=made.config):
            pass
        label = f"127.0.0.1:{made.servers[0].port}"
    assert str(caught.value).split("@")[1] == (
        f"{label} forwards nothing to db.internal:5432: it is prohibited there.\n"
        "  Have AllowTcpForwarding yes and PermitOpen db.internal:5432 put into its sshd_config."
    )


def test_host_that_is_unknown_is_named_as_without_a_tunnel(vpn: Bastion) -> None:
    vpn.know()
    with pytest.raises(GreenroomError, match=r"^the key of 127\.0\.0\.1:\d+ is not known here: "):
        tunnel(vpn.via, "127.0.0.1", 5432).__enter__()


def test_service_that_goes_away_resets_connections_until_it_is_back(vpn: Bastion) -> None:
    started = service(echo)
    far = started.__enter__()
    with tunnel(vpn.via, "127.0.0.1", far) as near:
        assert exchanged(near, b"one") == b"one"
        started.__exit__(None, None, None)
        with socket.create_connection(("127.0.0.1", near)) as sock, pytest.raises(ConnectionResetError):
            sock.recv(1)
        with service(echo, far):
            assert exchanged(near, b"three") == b"three"
