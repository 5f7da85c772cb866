"""Cutting a run off on purpose, where the request wants it: as a crash would, or to go on when it is told to."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from .events import Events


class Halt:
    """Counts the statements of one migration; `wanted` says of which, `after` how many, and whether to `pause` only."""

    def __init__(self, events: Events, listen: Callable[[], Any], wanted: Optional[Dict[str, Any]]) -> None:
        self._events, self._listen, self._wanted = events, listen, wanted
        self._count: Optional[int] = None  # None: another migration

    def migration_begins(self, name: str) -> None:
        self._count = 0 if self._wanted and name == self._wanted["migration"] else None
        self._stop_here()

    def statement_ended(self) -> None:
        if self._count is not None:
            self._count += 1
            self._stop_here()

    def _stop_here(self) -> None:
        if self._count is None or not self._wanted or self._count != self._wanted["after"]:
            return
        wanted, self._wanted = self._wanted, None
        if wanted.get("pause"):
            self._events.send("paused")
            self._events.flush()
            self._listen()
        else:
            self._events.send("halted")
            self._events.leave(0)
