"""What git says about the checkout: commit, branch, whether it is dirty; and a worktree of another commit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from greenroom import shell
from greenroom.interrupts import shielded


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


def root(directory: Path) -> Path | None:
    """The top of the checkout around `directory`."""
    found = _ask(directory, "rev-parse", "--show-toplevel")
    return Path(found).resolve() if found else None


def commit_of(directory: Path, ref: str) -> str | None:
    """The commit that a name stands for."""
    return _ask(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}") or None


def tags(directory: Path) -> list[str]:
    """Tags of commits that HEAD comes from, the newest commit first."""
    found = _ask(
        directory, "for-each-ref", "--merged", "HEAD", "--sort=-creatordate", "--format=%(refname:short)", "refs/tags"
    )
    return found.splitlines() if found else []


@contextmanager
def worktree(directory: Path, place: Path, commit: str) -> Iterator[Path]:
    """A checkout of a commit in `place`, for as long as the block lasts; git forgets those of owners that were killed.

    Raises GreenroomError when git cannot make it.
    """
    shell.run(["git", "worktree", "prune"], cwd=directory, check=False)
    shell.run(["git", "worktree", "add", "--quiet", "--detach", place, commit], cwd=directory)
    try:
        yield place
    finally:
        with shielded():
            shell.run(["git", "worktree", "remove", "--force", place], cwd=directory, check=False)


def slug(branch: str | None) -> str:
    """A branch's name as a part of a database name: lower case letters, digits and `_`, at most 30 of them."""
    return re.sub(r"[^a-z0-9]+", "_", (branch or "detached").lower()).strip("_")[:30].rstrip("_") or "detached"


def _ask(directory: Path, *argv: str) -> str | None:
    result = shell.run(["git", *argv], cwd=directory, check=False)
    return result.stdout.strip() if result.code == 0 else None
