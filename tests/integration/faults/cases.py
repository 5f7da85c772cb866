"""The matrix: which way a copy is made, in which phase, what befalls it, and how the command answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """`says` matches all that is said beside the progress, `prints` a part of the result.

    `reaped`: one db-reap may clean up what a kill has left.
    A quick case runs in every suite, the others with --full.
    """

    way: str
    phase: str
    strike: str
    code: int
    says: str
    reaped: bool = False
    quick: bool = False
    prints: str = ""

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
QUICK = {("stream", "migrate", "SIGINT"), ("stream", "drop", "SIGTERM"), ("branch", "create", "SIGKILL")}
EACH = ("SIGINT", "SIGTERM", "SIGKILL")
# Which signals meet a phase, by way. The phases meet each of the three on the way that most people go; on the
# other ways a phase that is another thing there meets what could leave something else behind.
SIGNALLED: dict[str, dict[str, tuple[str, ...]]] = {
    "stream": {
        "connecting": ("SIGINT", "SIGTERM"),
        "reading": ("SIGINT",),
        "server": ("SIGINT", "SIGKILL"),
        "dump": EACH,
        "transfer": EACH,
        "restore": EACH,
        "snapshot": ("SIGTERM", "SIGKILL"),
        "migrate": (*EACH, "SIGINT twice"),
        "own code": ("SIGHUP",),
        "drill": EACH,
        "drop": EACH,
    },
    "file": {"dump": ("SIGTERM", "SIGKILL"), "transfer": ("SIGKILL",)},
    "tunnel": {"transfer": ("SIGTERM", "SIGKILL")},
    "branch": {
        "create": EACH,
        "rows": ("SIGKILL",),
        "restore": ("SIGTERM",),
        "connecting": ("SIGINT", "SIGTERM"),
        "migrate": ("SIGINT", "SIGKILL"),
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
                name = (way, phase, strike)
                yield Case(*name, code, says, reaped=strike == "SIGKILL", quick=name in QUICK)


LEFT = r"the copy \S+ on \S+ could not be dropped and was left behind; remove it with: \./inv db-drop \S+\n"
LOST = r"the connection to \S+ was lost\.\n  Is the VPN still on\? Run it again\."
STILL_ON = r"\n  Is the VPN still on, and does the server run\? Then run again\."
AWAY = r"the server \S+ went away while \S+ was dumped\." + STILL_ON
AWAY_IN_TABLE = r"\S+ on \S+ went away, or takes no more connections, while public\.\w+ was read\." + STILL_ON
AWAY_IN_RESTORE = r"the server embedded went away while the data was restored\.\n  Look into its log, then run again\."
AWAY_IN_MIGRATION = (
    r"the copy's server \S+ went away during shop\.0002_change, so nothing can be judged\."
    r"\n  Look into that server's log, then run the rehearsal again\."
)
FULL = (
    r"the disk here is full: the archive does not fit into \S+\.\n  Free some space, or set TMPDIR to a directory .*\."
)
FULL_OF_COPY = (
    r"the disk of embedded is full: the copy of the data does not fit\.\n  Free some space, or set TMPDIR to .*\."
)
FULL_OF_HOST = (
    r"the disk of \S+ is full: the archive of \S+ does not fit there\."
    r"\n  Leave --via-file out: then nothing touches that disk\."
)
NO_KEY = (
    r"\S+ takes none of our keys \(tried: \S+\)\."
    r"\n  Check user and key with: ssh bastion\. A key of yours must stand in the user's authorized_keys there\."
)
OTHER_KEY = (
    r"\S+ shows another key than \S+ has for it: ssh-ed25519 SHA256:\S+\. "
    r"It may be an attack, or a host that was set up anew\."
    r"\n  Compare it with what the host's owner says\. "
    r"Only if it is the same: ssh-keygen -R .*, then once: ssh bastion"
)
NO_PASSWORD = (
    r"\S+ refuses \S+: the password is wrong\."
    r"\n  Set it where the target says \(password_variable, password_parameter\), else PGPASSWORD or ~/\.pgpass\."
)
DRILL_BROKEN_OFF = r"^WARN  may go out, with care: drill back could not be held to its end: the copy's"
OTHERS = [
    Case("stream", "dump", "SSH cut", 2, LOST),
    Case("stream", "transfer", "SSH cut", 2, LOST, quick=True),
    Case("file", "dump", "SSH cut", 2, LOST),
    Case("file", "transfer", "SSH cut", 0, ""),  # goes on where it was
    Case("tunnel", "transfer", "SSH cut", 2, AWAY_IN_TABLE),
    Case("branch", "rows", "SSH cut", 2, LEFT + LOST, reaped=True),
    Case("branch", "migrate", "SSH cut", 2, LEFT + AWAY_IN_MIGRATION, reaped=True),
    Case("stream", "dump", "source restarted", 2, AWAY),
    Case("tunnel", "transfer", "source restarted", 2, AWAY_IN_TABLE),
    Case("branch", "migrate", "source restarted", 2, AWAY_IN_MIGRATION),
    Case("stream", "restore", "copy's server killed", 2, AWAY_IN_RESTORE),
    Case("stream", "migrate", "copy's server killed", 2, AWAY_IN_MIGRATION),
    Case("stream", "drill", "copy's server killed", 0, "", prints=DRILL_BROKEN_OFF),
    Case("stream", "migrate", "copy's session killed", 2, AWAY_IN_MIGRATION),
    Case("stream", "transfer on a small disk", "disk full here", 2, FULL),
    Case("stream", "restore on a small disk", "disk full here", 2, FULL_OF_COPY),
    Case("file", "dump on a small disk", "disk full on the VPN host", 2, FULL_OF_HOST),
    Case("stream", "wrong key", "nothing", 2, NO_KEY),
    Case("stream", "wrong host key", "nothing", 2, OTHER_KEY, quick=True),
    Case("stream", "wrong password", "nothing", 2, NO_PASSWORD),
    Case("branch", "wrong password", "nothing", 2, NO_PASSWORD),
    Case("stream", "pg_dump older", "nothing", 0, ""),  # the rows come through a tunnel
    Case("branch", "pg_dump older", "nothing", 0, ""),
]
CASES = [*signalled(), *OTHERS]
