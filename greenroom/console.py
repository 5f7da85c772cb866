"""The terminal: progress on standard error while long work runs, results on standard output."""

from __future__ import annotations

import sys
import time
from typing import Protocol


class Progress(Protocol):
    """What long work tells whoever watches."""

    def step(self, text: str) -> None:
        """A new phase of the work begins: `restoring orders.dump`."""

    def detail(self, text: str) -> None:
        """Where the phase is: a count, a statement, a rate. Often: cheap, and only the newest matters."""


class Silent:
    """No progress: for tests and machines."""

    def step(self, text: str) -> None:
        """Nothing."""

    def detail(self, text: str) -> None:
        """Nothing."""


class Lines:
    """A line a phase on standard error, with the seconds since the start; details only on a terminal."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._tty = sys.stderr.isatty()
        self._pending = ""

    def step(self, text: str) -> None:
        """Print the phase."""
        self._clear()
        print(f"{time.monotonic() - self._start:6.1f} s  {text}", file=sys.stderr, flush=True)

    def detail(self, text: str) -> None:
        """Overwrite the line below the phase."""
        if self._tty:
            self._pending = f"          {text}"[:100]
            print(f"\r{self._pending:100}", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._pending:
            print(f"\r{'':100}\r", end="", file=sys.stderr)
            self._pending = ""
