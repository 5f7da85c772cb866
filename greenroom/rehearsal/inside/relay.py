"""Bytes from one address to another: how a container that has no network reaches the copy, and nothing else.

    relay.py FROM TO                until standard input ends, which greenroom holds
    relay.py FROM TO PROGRAM ...    beside that program of Python's, which takes this process's place

An address is HOST:PORT or the path of a Unix socket. Greenroom starts the first on this machine, from a socket in a
directory of its own to the copy's server; the second runs in the container, from the copy's port on the container's
loopback to that socket, which is mounted there. Standard library alone, for Python 3.8 and later.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import suppress
from typing import List

CHUNK = 1 << 16  # bytes
CONNECT_SECONDS = 30.0


def main(words: List[str]) -> None:
    """Does not return."""
    listener, target, program = listening(words[0]), words[1], words[2:]
    if not program:
        print("listening", flush=True)
        threading.Thread(target=serve, args=(listener, target), daemon=True).start()
        sys.stdin.buffer.read()
        os._exit(0)
    if os.fork():
        listener.close()
        os.execv(sys.executable, [sys.executable, *program])
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    serve(listener, target)


def listening(address: str) -> socket.socket:
    """A listener that everybody may connect to who sees it."""
    if not address.startswith("/"):
        host, _, port = address.rpartition(":")
        return socket.create_server((host, int(port)))
    listener = socket.socket(socket.AF_UNIX)
    os.chdir(os.path.dirname(address))  # the kernel takes no path of more than 107 bytes
    listener.bind(os.path.basename(address))
    os.chmod(os.path.basename(address), 0o666)  # noqa: S103
    listener.listen()
    return listener


def serve(listener: socket.socket, target: str) -> None:
    """Each connection by two threads, one for each direction."""
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_join, args=(client, target), daemon=True).start()


def _join(client: socket.socket, target: str) -> None:
    try:
        server = _connected(target)
    except OSError:  # the client sees its connection end, as it would with no server there
        client.close()
        return
    for end in (client, server):
        if end.family != socket.AF_UNIX:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
    back.start()
    _pass_on(client, server)
    back.join()
    client.close()
    server.close()


def _connected(target: str) -> socket.socket:
    if not target.startswith("/"):
        host, _, port = target.rpartition(":")
        connection = socket.create_connection((host, int(port)), CONNECT_SECONDS)
        connection.settimeout(None)
        return connection
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(target)
    return connection


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Until the source has no more to say, which the target is told."""
    with suppress(OSError):
        while True:
            chunk = source.recv(CHUNK)
            if not chunk:
                break
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(sys.argv[1:])
