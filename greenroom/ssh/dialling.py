"""The bytes below SSH: a socket to the first hop, a ProxyCommand, or a channel through the hop before."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import paramiko

from greenroom import shell
from greenroom.errors import GreenroomError
from greenroom.ssh.route import Hop

SILENCE_MS = 30_000
PROXY_END_SECONDS = 2.0
LOST = (paramiko.SSHException, EOFError, OSError)  # how paramiko says that a connection has died, at any call


class Unreachable(GreenroomError):
    """A host cannot be reached, or is no longer there: what was interrupted may go on over a new connection."""


def lost(label: str) -> Unreachable:
    """The connection has died."""
    return Unreachable(f"the connection to {label} was lost.", "Is the VPN still on? Run it again.")


@contextmanager
def dialled(hop: Hop, before: paramiko.Transport | None) -> Iterator[Any]:
    """A socket, or what paramiko takes for one. Raises Unreachable."""
    if before is None and hop.proxy_command:
        with _proxy(hop, hop.proxy_command) as proxied:
            yield proxied
        return
    sock: Any = _through(hop, before) if before else _direct(hop)
    try:
        yield sock
    finally:
        with suppress(*LOST):
            sock.close()


def _direct(hop: Hop) -> socket.socket:
    reason = "no answer"
    for family, kind, protocol, _, address in _addresses(hop):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(hop.seconds)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: what is sent into a dead connection fails in time too
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MS)
            return sock
        except OSError as error:
            sock.close()
            reason = _reason(error)
        except BaseException:
            sock.close()
            raise
    raise _unreachable(hop, reason)


def _addresses(hop: Hop) -> list[Any]:
    """Asked for in a thread: a resolver that stands behind a VPN may keep silent for long."""
    found: list[Any] = []
    failed: list[OSError] = []

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(hop.host, hop.port, type=socket.SOCK_STREAM))
        except OSError as error:
            failed.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(hop.seconds)
    if failed or not found:
        raise _unreachable(hop, "its name is unknown here" if failed else "no answer to its name")
    return found


def _unreachable(hop: Hop, reason: str) -> Unreachable:
    return Unreachable(
        f"cannot reach {hop.place} within {hop.seconds:g} s: is the VPN on? ({reason})",
        "Switch the VPN on, or correct `via`, then run again.",
    )


def _reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return "no answer" if isinstance(error, TimeoutError) else (error.strerror or "no answer").lower()


def _through(hop: Hop, before: paramiko.Transport) -> paramiko.Channel:
    try:
        return before.open_channel("direct-tcpip", (hop.host, hop.port), ("127.0.0.1", 0), timeout=hop.seconds)
    except LOST as error:
        raise Unreachable(
            f"cannot reach {hop.place} through {before.getpeername()[0]} ({refusal(error)}).",
            "Check ProxyJump and HostName in ssh_config, and whether that host is up.",
        ) from error


def refusal(error: BaseException) -> str:
    """Why a channel was not opened, shortly; the text of the other side is in no language that we choose."""
    if isinstance(error, paramiko.ChannelException):
        kinds = {1: "forwarding is prohibited there", 2: f"it says: {error.text}", 4: "too many channels"}
        return kinds.get(error.code, error.text)
    return "no answer"


@contextmanager
def _proxy(hop: Hop, command: str) -> Iterator[socket.socket]:
    """As ssh does: the user's words, run by a shell, speak to the host. Ctrl-C is for us: a clean-up needs the line."""
    ours, its = socket.socketpair()
    with ours, its, tempfile.TemporaryFile() as said:
        process = shell.spawn(
            ["sh", "-c", f"exec {command}"], stdin=its, stdout=its, stderr=said, start_new_session=True
        )
        its.close()
        try:
            yield ours
        except Unreachable as error:
            if not _ends(process):
                raise
            said.seek(0)
            last = shell.last_line(said.read().decode(errors="replace"))
            raise Unreachable(f"the ProxyCommand of {hop.place} has ended: {last}", f"Try it: {command}") from error
        finally:
            ours.close()
            if not _ends(process):
                process.kill()
                process.wait()


def _ends(process: shell.Popen[bytes]) -> bool:
    with suppress(shell.TimeoutExpired):
        process.wait(PROXY_END_SECONDS)
    return process.poll() is not None
