"""A line for each request that the web server has answered, but for health checks that went well."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from threading import Lock, Timer
from time import time
from typing import Any

from gunicorn.glogging import Logger

from config.health import CHECKS

TOGETHER_SECONDS = 0.1
MOST_WAITING = 1000  # where nobody takes the log's lines, requests wait for that as well, and memory does not fill up


class AccessLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's own, but for that line: it gathers every header and variable of a request before it knows which are
    wanted, and that takes longer than all the rest.

    Lines are written together, a tenth of a second after the first of them: alone each costs four times as much, since
    what it needs has left the processor's caches. A worker that ends by itself, by SIGTERM or by gunicorn's own timeout
    writes them all; one that is killed loses those of its last tenth of a second.
    """

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        self.waiting: list[tuple[float, dict[str, Any]]] = []
        self.lock = Lock()  # of `waiting`
        self.writing = Lock()  # one batch after the other, however long it takes

    def access(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: timedelta) -> None:
        """Never raises for want of a thread: the request is answered by now."""
        status = int(str(resp.status or 500).partition(" ")[0])  # no status: the app failed before it had one
        path = environ.get("PATH_INFO")  # what could not be understood has none
        if (status == 200 and path in CHECKS) or not self.access_log.isEnabledFor(logging.INFO):
            return
        with self.lock:
            self.waiting.append((time(), answered(environ, path, status, resp.sent, request_time)))
            number = len(self.waiting)
        if number == 1:
            self.write_soon()
        elif number >= MOST_WAITING:
            self.write_together()

    def write_soon(self) -> None:
        """At once where no thread can be started, or nobody ever would."""
        try:
            Timer(TOGETHER_SECONDS, self.write_together).start()
        except RuntimeError:
            self.write_together()

    def write_together(self) -> None:
        """Each at the time of its answer."""
        with self.writing:
            with self.lock:
                lines, self.waiting = self.waiting, []
            for moment, told in lines:
                self.write(moment, told)

    def write(self, moment: float, told: dict[str, Any]) -> None:
        message = f"{told['method']} {told['path']} {told['status']}"
        record = self.access_log.makeRecord(
            self.access_log.name, logging.INFO, __file__, 0, message, (), None, extra={"further": told}
        )
        record.created = moment
        self.access_log.handle(record)


def answered(
    environ: Mapping[str, Any], path: str | None, status: int, sent: int | None, lasted: timedelta
) -> dict[str, Any]:
    """What the line says; no query, since it may hold what is nobody's business."""
    return {
        "method": environ.get("REQUEST_METHOD"),
        "path": path,
        "status": status,
        "bytes": sent or 0,
        "milliseconds": lasted / timedelta(milliseconds=1),
        "client": environ.get("REMOTE_ADDR", "-"),
        "forwarded_for": environ.get("HTTP_X_FORWARDED_FOR", "-"),
        "user_agent": environ.get("HTTP_USER_AGENT", "-"),
    }
