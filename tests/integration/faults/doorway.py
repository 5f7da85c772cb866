"""A port that leads to the source's server, and lets one client come in half way: its backend waits for the password.

PostgreSQL's own backend waits, as it does when a client is busy elsewhere: DROP DATABASE waits for such a one.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from greenroom.postgres.address import Address
from tests.integration.faults.stage import Stage

ASKS = b"R"  # how the server's answer begins that asks for a password
CHUNK = 65_536


@dataclass
class Doorway:
    """`chosen` is given the first words of every client until one is stopped; `stopped` says that it now waits."""

    to: Address
    chosen: Callable[[bytes], bool]
    listener: socket.socket
    stopped: threading.Event = field(default_factory=threading.Event)
    _choosing: threading.Lock = field(default_factory=threading.Lock)
    _found: bool = False

    def serve(self) -> None:
        """Until the listener is shut down."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._lead, args=(client,), daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        """One client, until it or the server goes."""
        asked = mine = False
        with suppress(OSError), client, socket.create_connection((self.to.host, self.to.port)) as server:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    if not (words := ready.recv(CHUNK)):
                        return
                    if ready is server:
                        asked = asked or words.startswith(ASKS)
                        client.sendall(words)
                    elif asked and mine:
                        self.stopped.set()
                    else:
                        mine = mine or self._choose(words)
                        server.sendall(words)

    def _choose(self, words: bytes) -> bool:
        with self._choosing:
            if self._found or not self.chosen(words):
                return False
            self._found = True
            return True


@contextmanager
def doorway(stage: Stage, *, to_copy: bool) -> Iterator[Doorway]:
    """For the block, the target's port. It stops the command's first connection, or the first that watches a copy."""
    source = stage.source

    def chosen(words: bytes) -> bool:
        database = f"{source.name}__" if to_copy else f"{source.name}\0"
        ours = b"\0application_name\0greenroom\0" in words and f"\0database\0{database}".encode() in words
        return ours and (not to_copy or "  migrating" in stage.runs[-1].said)

    with socket.create_server((source.address.host, 0)) as listener:
        made = Doorway(source.address, chosen, listener)
        stage.port = int(listener.getsockname()[1])
        stage.configure("cache = false")
        serving = threading.Thread(target=made.serve)
        serving.start()
        try:
            yield made
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            serving.join()
