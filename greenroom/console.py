"""The terminal: progress on standard error while long work runs, results on standard output."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from rich.live import Live as RichLive
    from rich.text import Text

REFRESH_SECONDS = 0.25
SILENT_SECONDS = 30.0  # where nobody watches; a build that says nothing is ended by some services
DETAIL_LINES = 4


class Progress(Protocol):
    """What long work tells whoever watches."""

    def step(self, text: str) -> None:
        """A new phase of the work begins: `restoring orders.dump`."""

    def detail(self, text: str) -> None:
        """Where the phase is: a count, a statement, a rate. Often: cheap, and only the newest matters.

        Parts that ` · ` or line ends separate may stand on lines of their own.
        """


class Display:
    """A Progress that may be used as a context manager: leaving it ends the last phase."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(failed=error is not None)

    def step(self, text: str) -> None:
        """A new phase."""

    def detail(self, text: str) -> None:
        """Where it is."""

    def close(self, *, failed: bool = False) -> None:
        """The last phase is over."""


def progress() -> Display:
    """The display that suits standard error: live on a terminal, a line a phase elsewhere."""
    if sys.stderr.isatty():
        from rich.console import Console

        if not Console(stderr=True).is_dumb_terminal:
            return Live()
    return Lines()


class Silent(Display):
    """No progress: for tests and machines."""


class Lines(Display):
    """A line a phase on standard error, with the seconds since the start; in a long one, where it is, now and then."""

    def __init__(self) -> None:
        self._start = self._said = time.monotonic()

    def step(self, text: str) -> None:
        """Print the phase."""
        self._print(text)

    def detail(self, text: str) -> None:
        """Print it where nothing was printed for SILENT_SECONDS."""
        if time.monotonic() - self._said >= SILENT_SECONDS:
            self._print(f"  {printable(' · '.join(text.splitlines()))}")

    def _print(self, text: str) -> None:
        self._said = time.monotonic()
        print(f"{self._said - self._start:6.1f} s  {text}", file=sys.stderr, flush=True)


class Live(Display):
    """Phases with ticks and their seconds; below the running one, what it does at this moment.

    Drawn anew only when `step` or `detail` is called, and for details at most every REFRESH_SECONDS: it has no thread.
    """

    def __init__(self) -> None:
        self._live: RichLive | None = None
        self._phase = ""
        self._details: list[str] = []
        self._began = self._drawn = time.monotonic()

    def step(self, text: str) -> None:
        """Tick the phase that is over, and begin the next."""
        self._finish("✓", "green")
        self._phase, self._details = text, []
        self._began = time.monotonic()
        self._draw()

    def detail(self, text: str) -> None:
        """Remember where the phase is; draw it when the last drawing is old enough."""
        self._details = [part.strip() for part in text.replace(" · ", "\n").splitlines()][:DETAIL_LINES]
        if time.monotonic() - self._drawn >= REFRESH_SECONDS:
            self._draw()

    def close(self, *, failed: bool = False) -> None:
        """Tick or cross the last phase, and give the terminal back."""
        self._finish(*(("✗", "red") if failed else ("✓", "green")))
        self._phase = ""
        if self._live:
            self._live.stop()
            self._live = None

    def _finish(self, mark: str, colour: str) -> None:
        if self._phase:
            line = self._line(mark, colour)
            self._screen().update("")
            self._screen().console.print(line, overflow="ellipsis", no_wrap=True)

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        self._screen().update(self._picture(), refresh=True)

    def _picture(self) -> Text:
        picture = self._line("▸", "cyan")
        for part in self._details:
            picture.append(f"\n{'':12}{printable(part)}", style="yellow" if " waiting " in part else "dim")
        picture.no_wrap, picture.overflow = True, "ellipsis"
        return picture

    def _line(self, mark: str, colour: str) -> Text:
        from rich.text import Text

        seconds = f"{time.monotonic() - self._began:6.1f} s  "
        return Text.assemble((f"{mark} ", f"bold {colour}"), (seconds, "dim"), printable(self._phase))

    def _screen(self) -> RichLive:
        """The drawing surface, made when first needed; it hides the cursor until `close`, or the process's end."""
        if self._live is None:
            import atexit

            from rich.console import Console
            from rich.live import Live as RichLive

            self._live = RichLive(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._live.start()
            atexit.register(self._live.stop)
        return self._live


def printable(text: str) -> str:
    """Names of tables and lines of logs can hold anything: what would steer the terminal becomes a space."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
