"""What every engine hands out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from greenroom.postgres.address import Address

Method = Literal["aurora clone", "rds snapshot", "command"]


@dataclass
class EngineCopy:
    """A copy on an engine's own server. `dropped` is known when the context has ended.

    `address` is as the engine tells it, with the source's role and password: it may lie behind the target's VPN host.
    `name` is how `db-list` and `db-drop` know it, in AWS the identifier; `notes` are for the fidelity section.
    Whoever has to do something to it before it may outlive us (mask it) sets `whole` to False until that is done: what
    is not whole is ended even where it should be kept.
    """

    address: Address
    label: str
    name: str
    method: Method
    notes: list[str] = field(default_factory=list)
    dropped: bool = False
    whole: bool = True
