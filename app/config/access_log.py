"""A line for each request that the web server has answered, but for health checks that went well."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from config.health import CHECKS


class AccessLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's own, but for that line: it gathers every header and variable of a request before it knows which are
    wanted, and that takes longer than all the rest.
    """

    def access(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: timedelta) -> None:
        status = int(str(resp.status).partition(" ")[0])
        path = environ.get("PATH_INFO")  # what could not be understood has none
        if (status == 200 and path in CHECKS) or not self.access_log.isEnabledFor(logging.INFO):
            return
        told = answered(environ, path, status, resp.sent, request_time)
        self.access_log.info("%s %s %s", told["method"], path, status, extra={"further": told})


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
