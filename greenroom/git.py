"""What git says about the checkout: commit, branch, whether it is dirty. Nothing here changes a repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from greenroom import shell


@dataclass(frozen=True)
class Checkout:
    """None where there is no repository, no commit yet, or no git."""

    commit: str | None
    branch: str | None
    dirty: bool | None


def checkout(directory: Path) -> Checkout:
    """The state of the repository around `directory`; a detached head has the branch None."""
    commit = _ask(directory, "rev-parse", "--verify", "HEAD")
    branch = _ask(directory, "symbolic-ref", "--short", "HEAD")
    status = _ask(directory, "status", "--porcelain")
    return Checkout(commit, branch, None if status is None else bool(status))


def slug(branch: str | None) -> str:
    """A branch's name as a part of a database name: lower case letters, digits and `_`, at most 30 of them."""
    return re.sub(r"[^a-z0-9]+", "_", (branch or "detached").lower()).strip("_")[:30].rstrip("_") or "detached"


def _ask(directory: Path, *argv: str) -> str | None:
    result = shell.run(["git", *argv], cwd=directory, check=False)
    return result.stdout.strip() if result.code == 0 else None
