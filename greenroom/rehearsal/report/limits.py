"""How much of a long document a view shows, so that it stays under its size whatever the rehearsal was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """`entries` of any list, `statements` of one migration, `characters` of any text."""

    entries: int
    statements: int
    characters: int

    def tightened(self) -> Limits:
        """Two thirds of everything."""
        return Limits(
            max(1, self.entries * 2 // 3),
            max(1, self.statements * 2 // 3),
            max(40, self.characters * 2 // 3),
        )


def fitted(render: Callable[[Limits], str], limits: Limits, max_bytes: int) -> str:
    """What `render` makes of the widest limits, from `limits` downwards, that stay within `max_bytes` of UTF-8."""
    while len((text := render(limits)).encode()) > max_bytes and limits.tightened() != limits:
        limits = limits.tightened()
    return text
