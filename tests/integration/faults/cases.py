"""The matrix: which way a copy is made, in which phase, what befalls it, and how the command answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """`says` matches all that is said beside the progress. `reaped`: one db-reap may clean up what a kill has left.

    A quick case runs in every suite, the others with --full.
    """

    way: str
    phase: str
    strike: str
    code: int
    says: str
    reaped: bool = False
    quick: bool = False

    @property
    def name(self) -> str:
        return f"{self.way}, {self.phase}, {self.strike}"


ANSWERS = {
    "SIGINT": (130, r"Interrupted\."),
    "SIGTERM": (143, r"Terminated\."),
    "SIGHUP": (129, r"Terminated\."),
    "SIGINT twice": (130, r"Interrupted\."),
    "SIGKILL": (-9, ""),
}
EACH = ("SIGINT", "SIGTERM", "SIGKILL")
# Which signals meet a phase, by way. The phases meet each of the three on the way that most people go; on the
# other ways a phase that is another thing there meets what could leave something else behind.
SIGNALLED: dict[str, dict[str, tuple[str, ...]]] = {
    "stream": {
        "reading": ("SIGINT",),
        "server": ("SIGINT", "SIGKILL"),
        "dump": EACH,
        "transfer": EACH,
        "restore": EACH,
        "snapshot": ("SIGTERM", "SIGKILL"),
        "migrate": (*EACH, "SIGHUP", "SIGINT twice"),
        "own code": ("SIGINT", "SIGKILL"),
        "drill": EACH,
        "drop": EACH,
    },
    "file": {"dump": ("SIGTERM", "SIGKILL"), "transfer": ("SIGINT", "SIGKILL")},
    "tunnel": {"dump": ("SIGINT",), "transfer": ("SIGTERM", "SIGKILL")},
    "branch": {
        "create": EACH,
        "dump": ("SIGINT",),
        "rows": ("SIGKILL",),
        "restore": ("SIGTERM", "SIGKILL"),
        "migrate": EACH,
        "drop": (*EACH, "SIGINT twice"),
    },
    "branch by tunnel": {"transfer": ("SIGINT", "SIGKILL")},
}


def signalled() -> Iterator[Case]:
    """After SIGKILL one db-reap may clean up, after the others nothing."""
    for way, phases in SIGNALLED.items():
        for phase, signals in phases.items():
            for strike in signals:
                code, says = ANSWERS[strike]
                yield Case(way, phase, strike, code, says, reaped=strike == "SIGKILL")


CASES = [*signalled()]
