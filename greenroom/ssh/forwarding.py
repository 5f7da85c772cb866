"""The process behind `tunnel`: listens on 127.0.0.1 and takes each connection through the VPN host.

It reads one line of JSON from standard input (via, host, port, config), prints one with the port, and ends when
standard input closes. When it fails, the last line of standard error is JSON: the sentence and the next step.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path

import paramiko

from greenroom.errors import GreenroomError
from greenroom.ssh.connection import connected
from greenroom.ssh.dialling import LOST, lost
from greenroom.ssh.host import Host
from greenroom.ssh.transport import WINDOW_BYTES

CHUNK_BYTES = 256 * 1024
BACKLOG = 64
POLL_SECONDS = 0.5
OPEN_SECONDS = 10.0


def main() -> int:
    """Until standard input closes. The exit code is 2 when it could not, or can no longer, forward."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    asked = json.loads(sys.stdin.readline() or "null")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with connected(asked["via"], config=Path(asked["config"]) if asked["config"] else None) as host:
            _check(host, asked["host"], asked["port"])
            with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as here:
                print(json.dumps({"port": here.getsockname()[1]}), flush=True)
                _serve(host, here, (asked["host"], asked["port"]))
    except GreenroomError as error:
        print(json.dumps([error.sentence, error.hint]), file=sys.stderr, flush=True)
    return 2


def _end_with_parent() -> None:
    """Its end of the pipe closes, whichever way it ends; then nothing of this process is worth an orderly end."""
    sys.stdin.read()
    os._exit(0)


def _check(host: Host, name: str, port: int) -> None:
    """Open one connection and close it: what is wrong is known before anything relies on the tunnel."""
    try:
        host.transport.open_channel("direct-tcpip", (name, port), ("127.0.0.1", 0), timeout=OPEN_SECONDS).close()
    except paramiko.ChannelException as error:
        if error.code == 1:
            raise GreenroomError(
                f"{host.label} forwards nothing to {name}:{port}: it is prohibited there.",
                f"Have AllowTcpForwarding yes and PermitOpen {name}:{port} put into its sshd_config.",
            ) from error
        raise GreenroomError(
            f"{host.label} cannot reach {name}:{port}: {error.text}.",
            "Correct host and port; they are seen from the VPN host.",
        ) from error
    except LOST as error:
        raise GreenroomError(
            f"{host.label} does not reach {name}:{port} within {OPEN_SECONDS:g} s.",
            "Correct host and port; they are seen from the VPN host. Is a firewall between them?",
        ) from error


def _serve(host: Host, here: socket.socket, target: tuple[str, int]) -> None:
    """A thread a connection. Raises Unreachable when the one to the VPN host is lost."""
    here.settimeout(POLL_SECONDS)
    while host.transport.is_active():
        with suppress(TimeoutError):
            accepted = here.accept()[0]
            threading.Thread(target=_forward, args=(host, accepted, target), daemon=True).start()
    raise lost(host.label)


def _forward(host: Host, here: socket.socket, target: tuple[str, int]) -> None:
    with here:
        try:
            here.settimeout(None)
            here.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            there = host.transport.open_channel("direct-tcpip", target, here.getpeername(), timeout=OPEN_SECONDS)
        except LOST:
            _reset(here)
            return
        outward = threading.Thread(target=_outward, args=(here, there), daemon=True)
        outward.start()
        _inward(here, there)
        outward.join()
        _close(there)


def _outward(here: socket.socket, there: paramiko.Channel) -> None:
    """What is written here goes there; the end of it too, while the other direction may go on."""
    try:
        while piece := here.recv(CHUNK_BYTES):
            there.sendall(piece)
        there.shutdown_write()
    except LOST:
        _close(there)


def _inward(here: socket.socket, there: paramiko.Channel) -> None:
    """What comes from there is written here. A connection that was cut is no orderly end: it is reset here as well."""
    try:
        while piece := there.recv(WINDOW_BYTES):  # all that is there: paramiko moves the rest at each read
            here.sendall(piece)
        if there.eof_received:
            here.shutdown(socket.SHUT_WR)
        else:
            _reset(here)
    except LOST:
        _reset(here)
        _close(there)


def _close(there: paramiko.Channel) -> None:
    with suppress(*LOST):
        there.close()


def _reset(here: socket.socket) -> None:
    """Let whoever is connected see an error, not an end; wakes the thread that reads from it."""
    with suppress(OSError):
        here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        here.shutdown(socket.SHUT_RD)


if __name__ == "__main__":
    code = main()
    os._exit(code)  # threads may still wait for connections that nobody answers
