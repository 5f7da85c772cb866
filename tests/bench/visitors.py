"""Visitors of a web server: as many connections as one asks for, each with one request after the other."""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass

MOST_SECONDS = 30.0  # without an answer to anybody


@dataclass
class Visitor:
    """One connection, which is kept."""

    connection: socket.socket
    got: bytes = b""
    bodies: int = 0


def requests_a_second(address: tuple[str, int], path: str, cookie: str, seconds: float, visitors: int) -> float:
    """Ask for a page over and over, and wait for every answer: the server has nothing left to do then.

    Raises AssertionError for any answer but 200.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n".encode()
    crowd = [Visitor(socket.create_connection(address)) for _ in range(visitors)]
    try:
        with selectors.DefaultSelector() as ready:
            begun = time.perf_counter()
            for visitor in crowd:
                ready.register(visitor.connection, selectors.EVENT_READ, visitor)
                visitor.connection.sendall(request)
            while ready.get_map():
                goes_on = time.perf_counter() - begun < seconds
                answered = ready.select(MOST_SECONDS)
                assert answered, "the server does not answer"
                for key, _ in answered:
                    _read(key.data, request, ready, goes_on=goes_on)
            lasted = time.perf_counter() - begun
    finally:
        for visitor in crowd:
            visitor.connection.close()
    return sum(visitor.bodies for visitor in crowd) / lasted


def _read(visitor: Visitor, request: bytes, ready: selectors.BaseSelector, *, goes_on: bool) -> None:
    chunk = visitor.connection.recv(262144)
    assert chunk, "the server has closed the connection"
    visitor.got += chunk
    if not _is_whole(visitor.got):
        return
    assert visitor.got.startswith(b"HTTP/1.1 200 "), visitor.got[:80]
    visitor.got = b""
    visitor.bodies += 1
    if goes_on:
        visitor.connection.sendall(request)
    else:
        ready.unregister(visitor.connection)


def _is_whole(got: bytes) -> bool:
    head, separator, body = got.partition(b"\r\n\r\n")
    if not separator:
        return False
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    return body.endswith(b"0\r\n\r\n")
