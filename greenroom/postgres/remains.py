"""What stands of a copy: a database, a server, a container, a directory on a VPN host, a clone in AWS.

Each room that makes something which can outlive its process lists it in this one form; `db-list`, `db-drop` and
`db-reap` know no other.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from greenroom.errors import GreenroomError
from greenroom.postgres.lease import Lease

Kind = Literal["database", "server", "container", "directory", "aws", "command"]


@dataclass(frozen=True)
class Remains:
    """Something that is ours to drop: it bears a lease, or a journal of ours knows it.

    `where` is for people (`host:5432`, `user@vpn.example.com`); `made` is ISO 8601 in UTC; `state` says why it stands
    (`alive`, `kept`) or why it should go (`creator died`, `expired`). `drop` raises GreenroomError where it is refused;
    `refusal` is that error, where it is known beforehand.
    """

    kind: Kind
    name: str
    where: str
    made: str
    state: str
    to_be_reaped: bool
    drop: Callable[[], None] = field(repr=False)
    lease: Lease | None = None
    size_bytes: int = 0
    exists: bool = True
    refusal: GreenroomError | None = None


def dropping(name: str, *where: str) -> str:
    """The command that drops it, for a shell: names of databases may hold blanks and quotes."""
    return f"./inv db-drop {shlex.join([name, *where])}"
