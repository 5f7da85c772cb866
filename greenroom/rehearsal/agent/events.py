"""What the agent says: one JSON line an event, and the two exceptions that end in one."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from typing import Any, Callable, List, NoReturn, Optional, Set

FAILED = 1  # exit code


class Events:
    """JSON lines on a private descriptor. When nobody reads them any more, the process ends: nobody would know.

    A line goes out at once, unless another did so less than PAUSE ago: then it goes with those that follow, when PAUSE
    is over. A reader that is woken for each of ten thousand lines takes more from the migration than all the watching.
    """

    PAUSE = 0.003  # seconds

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._written = 0.0
        self._silent = False
        self._due = threading.Event()
        self._told: Set[str] = set()
        self._begin()
        os.register_at_fork(after_in_child=self._begin)
        threading.Thread(target=self._flush_what_is_due, name="greenroom-events", daemon=True).start()

    def _begin(self) -> None:
        """Nothing waits. In a forked child: what waits is the parent's to send, and its lock may never be opened."""
        self._lock = threading.RLock()
        self._lines: List[bytes] = []

    def send(self, event: str, *, t: Optional[float] = None, **facts: Any) -> None:
        """One event. `t` is time.monotonic() of the fact, where that is not now."""
        self._wait_when_silent()
        now = time.monotonic()
        line = json.dumps({"event": event, "t": now if t is None else t, **facts}, default=str).encode() + b"\n"
        with self._lock:
            self._lines.append(line)
            if now - self._written > self.PAUSE:
                self.flush()
            elif not self._due.is_set():
                self._due.set()

    def flush(self) -> None:
        """Everything goes out now."""
        with self._lock:
            rest, self._lines = b"".join(self._lines), []
            self._written = time.monotonic()
            try:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except OSError:
                os._exit(FAILED)

    def leave(self, code: int) -> NoReturn:
        """End the process: the app's threads, exit handlers and `except` clauses have no say in it."""
        self._wait_when_silent()
        self.flush()
        os._exit(code)

    def leave_in_silence(self, code: int, before: Callable[[], Any]) -> NoReturn:
        """End the process from another thread: what `before` makes the app's thread say or do is not to be heard."""
        with self._lock:
            self.flush()
            self._silent = True
        with suppress(Exception):
            before()
        os._exit(code)

    def _wait_when_silent(self) -> None:
        if self._silent:
            threading.Event().wait()  # for the end of the process

    def _flush_what_is_due(self) -> None:
        while self._due.wait():
            time.sleep(self.PAUSE)
            self._due.clear()
            self.flush()

    def refuse(self, what: str) -> NoReturn:
        """Tell once what the app tried to reach, and stop it there."""
        self._once("refused", what)
        raise Refused("greenroom closed the %s" % (what if what.startswith("database") else "way to " + what))

    def note(self, what: str) -> None:
        """A sentence for people, once."""
        self._once("note", what)

    def _once(self, event: str, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.send(event, what=what)
            self.flush()  # a forked child has no thread that would do it


class Refused(OSError):
    """The app tried to reach something other than the copy."""


class Stop(Exception):
    """The run cannot go on, for a reason that a person can mend: one sentence."""
