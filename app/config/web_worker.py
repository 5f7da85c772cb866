"""Gunicorn's worker with threads, and one thread more: for `/livez`, which answers while all the others wait.

They wait together where the database hangs, behind a lock or on a server that stands still, for as long as it does. A
load balancer that had no answer meanwhile would replace every container, and the new ones would be no better off.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from selectors import EVENT_READ
from socket import MSG_DONTWAIT, MSG_PEEK, socket

from gunicorn.workers.gthread import TConn, ThreadWorker

LIVEZ = b"GET /livez "


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's own until all of its threads are taken. What is counted is so by the worker's loop alone."""

    def init_process(self) -> None:
        self.livez = ThreadPoolExecutor(max_workers=1)
        self.taken = 0  # threads, and requests that wait for one
        super().init_process()

    def enqueue_req(self, conn: TConn) -> None:
        """Where no thread is free, the loop waits until the client has said what it asks for."""
        pool = self.tpool
        if self.taken >= self.cfg.threads:
            if not (conn.initialized or conn.data_ready):
                self.wait_for(conn)
                return
            if asks_livez(conn.sock):
                pool = self.livez
        self.taken += pool is self.tpool
        pool.submit(self.handle, conn).add_done_callback(
            lambda done: self.method_queue.defer(self.finish, pool, conn, done)
        )

    def finish(self, pool: ThreadPoolExecutor, conn: TConn, done: Future[object]) -> None:
        self.taken -= pool is self.tpool
        self.finish_request(conn, done)

    def _cap_keepalive(self, deadline: float) -> None:
        """Where the worker stops: who has said nothing by then is waited for no longer than who was answered."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def wait_for(self, conn: TConn) -> None:
        """As `finish_request` does with one whose thread waited in vain."""
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))


def asks_livez(client: socket) -> bool:
    """What was sent stays to be read."""
    try:
        return client.recv(len(LIVEZ), MSG_PEEK | MSG_DONTWAIT) == LIVEZ
    except OSError:
        return False
