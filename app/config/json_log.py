"""Log records as JSON, one a line: what a container's log collector can take apart."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


class JsonFormatter(logging.Formatter):
    """`time` (UTC), `level`, `logger`, `message`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self.further(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)

    def further(self, record: logging.LogRecord) -> dict[str, Any]:
        """What this kind of record says beside its message."""
        return {}


class AccessFormatter(JsonFormatter):
    """A request that was answered, as gunicorn tells it; `bytes` and `milliseconds` are the answer's."""

    def further(self, record: logging.LogRecord) -> dict[str, Any]:
        told = atoms(record)
        return {
            "method": told["m"],
            "path": told["U"],
            "status": int(told["s"]),
            "bytes": int(told["B"] or 0),
            "milliseconds": int(told["D"]) / 1000,
            "client": told["h"],
            "forwarded_for": told["{x-forwarded-for}i"],
            "user_agent": told["a"],
        }


class WithoutHealthChecks(logging.Filter):
    """Leaves out health checks that went well: they come every few seconds, from several sides."""

    def __init__(self, paths: frozenset[str]) -> None:
        super().__init__()
        self.paths = paths

    def filter(self, record: logging.LogRecord) -> bool:
        told = atoms(record)
        return told["U"] not in self.paths or told["s"] != "200"


def atoms(record: logging.LogRecord) -> Mapping[str, Any]:
    """What gunicorn tells of a request, by the names of its access_log_format; a header that is not there is `-`."""
    assert isinstance(record.args, Mapping)
    return record.args
