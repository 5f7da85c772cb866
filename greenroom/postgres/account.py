"""Under which account a server runs: PostgreSQL refuses root, and greenroom is often run by root (in containers, in CI)."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from greenroom import shell
from greenroom.errors import GreenroomError

NOBODY = 65534  # initdb looks the uid up: it must have an account


@dataclass(frozen=True)
class Account:
    """How to run a server's program as somebody who may, and which uid its files must belong to (None: our own)."""

    prefix: tuple[str, ...]
    owner: int | None = None

    def command(self, argv: Sequence[str | Path]) -> list[str]:
        """`argv` under this account; the program ends when greenroom is killed, where the system can promise that."""
        return [*self.prefix, *map(str, argv)]

    def give(self, directory: Path) -> None:
        """Make a directory that we made the account's."""
        if self.owner is not None:
            os.chown(directory, self.owner, -1)


@cache
def account() -> Account:
    """Root becomes `nobody`: mapped in a user namespace, so that files stay root's; where that is refused, by setpriv.

    Raises GreenroomError where root can do neither.
    """
    dies_with_us = ("setpriv", "--pdeathsig", "QUIT") if shutil.which("setpriv") else ()
    if os.geteuid() != 0:
        return Account(dies_with_us)
    mapped = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
    if _has_account(NOBODY) and shell.run([*mapped, "true"], check=False).code == 0:
        return Account((*mapped, *dies_with_us))
    if dies_with_us and _has_account(NOBODY):
        return Account((*dies_with_us, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"), owner=NOBODY)
    raise GreenroomError(
        "PostgreSQL refuses to run as root, and this machine has neither unshare nor setpriv to run it as nobody.",
        "Run as an ordinary user, or name a server: --server postgresql://...",
    )


def _has_account(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid))
    except KeyError:
        return False
