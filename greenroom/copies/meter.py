"""How much has come, how fast, and how long it will take: a line for whoever waits."""

from __future__ import annotations

import time

from greenroom.console import Progress

_SMOOTHING_SECONDS = 5.0


class Meter:
    """Tells `progress` bytes, rate and time left; the time left from `share` (0 to 1) or the total, where known."""

    def __init__(self, progress: Progress, total: int | None = None) -> None:
        self._progress, self._total = progress, total
        self._began = self._marked = time.monotonic()
        self._at_mark = 0
        self._rate = 0.0

    def tell(self, done: int, share: float | None = None) -> None:
        """`done` bytes until now."""
        now = time.monotonic()
        if now - self._marked > _SMOOTHING_SECONDS or not self._rate:
            self._rate = (done - self._at_mark) / max(now - self._marked, 1e-3)
        if now - self._marked > _SMOOTHING_SECONDS:
            self._marked, self._at_mark = now, done
        part = done / self._total if self._total else share
        of = f" of {size(self._total)}" if self._total else ""
        left = self._left(now, part)
        self._progress.detail(f"{size(done)}{of} · {size(self._rate)}/s{f' · {left} left' if left else ''}")

    def _left(self, now: float, part: float | None) -> str:
        return duration((now - self._began) * (1 - part) / part) if part and 0.01 < part <= 1 else ""


def size(number: float) -> str:
    """Bytes for people, in powers of ten: `812.3 MB`."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def duration(seconds: float) -> str:
    """`40 s`, `3 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
