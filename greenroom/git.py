"""What git says about the checkout: commit, branch, whether it is dirty; and a worktree of another commit."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from greenroom import shell
from greenroom.interrupts import shielded

# where build services say what they build, the commit first, then the branch (a pull request's own before its target's)
SERVICES = (
    ("CODEBUILD_RESOLVED_SOURCE_VERSION", ("CODEBUILD_WEBHOOK_HEAD_REF", "CODEBUILD_SOURCE_VERSION")),
    ("GITHUB_SHA", ("GITHUB_HEAD_REF", "GITHUB_REF_NAME")),
    ("CI_COMMIT_SHA", ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME")),
    ("BITBUCKET_COMMIT", ("BITBUCKET_BRANCH",)),
)
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class Checkout:
    """None where nobody knows: no repository, no commit yet, or no git, and no build service that says it."""

    commit: str | None
    branch: str | None
    dirty: bool | None


def checkout(directory: Path) -> Checkout:
    """The state of the repository around `directory`.

    Build services check out a commit without its branch, or copy the files without the repository: what is missing
    then is taken from the variables that they set. They speak of the commit that they build and of no other.
    """
    commit = _ask(directory, "rev-parse", "--verify", "HEAD")
    branch = _ask(directory, "symbolic-ref", "--short", "HEAD")
    status = _ask(directory, "status", "--porcelain")
    if branch is None:
        built, of = _built()
        if commit in (None, built):
            commit, branch = built, of
    return Checkout(commit, branch, None if status is None else bool(status))


def changed_code(directory: Path) -> bool:
    """Whether Python files within `directory` differ from HEAD, or are new: what is rehearsed is not what HEAD has."""
    return bool(_ask(directory, "status", "--porcelain", "--untracked-files=all", "--", "*.py"))


def _built() -> tuple[str | None, str | None]:
    """Commit and branch that the build service says it builds."""
    for name, names in SERVICES:
        commit = shell.variable(name) or ""
        if COMMIT.fullmatch(commit):
            refs = [(shell.variable(one) or "").removeprefix("refs/heads/") for one in names]
            return commit, next((ref for ref in refs if ref and not COMMIT.fullmatch(ref)), None)
    return None, None


def root(directory: Path) -> Path | None:
    """The top of the checkout around `directory`."""
    found = _ask(directory, "rev-parse", "--show-toplevel")
    return Path(found).resolve() if found else None


def commit_of(directory: Path, ref: str) -> str | None:
    """The commit that a name stands for."""
    return _ask(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}") or None


def changed_since(directory: Path, commit: str) -> set[str] | None:
    """Files that differ from a commit or are new, from the checkout's top; None: git does not know the commit."""
    top = root(directory)
    if top is None or commit_of(top, commit) is None:
        return None
    differing = _ask(top, "diff", "--name-only", "-z", "--end-of-options", commit) or ""
    new = _ask(top, "ls-files", "--others", "--exclude-standard", "-z") or ""
    return {name for name in (differing + "\0" + new).split("\0") if name}


def committed(directory: Path) -> str | None:
    """When HEAD was committed, in ISO 8601."""
    return _ask(directory, "show", "--no-patch", "--format=%cI", "HEAD")


def files(directory: Path, below: Path) -> list[str]:
    """Files within `below` that git has, or would take, from `directory`; none where it is no repository."""
    found = _ask(directory, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", str(below))
    return [name for name in (found or "").split("\0") if name]


def untracked(directory: Path, paths: list[str]) -> list[str]:
    """Files within `paths` that git does not track, also those that it ignores, from `directory`.

    Of a repository within it the name alone, with `/` at its end. None where `directory` is in no repository.
    """
    found = _ask(directory, "--literal-pathspecs", "ls-files", "-z", "--others", "--", *paths)
    return [name for name in (found or "").split("\0") if name]


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
    """A branch's name as a part of a database name: lower case letters, digits and `_`, at most 30 of them.

    Accents are left out; of a name in another script a digest stands for it.
    """
    if not branch:
        return "detached"
    plain = unicodedata.normalize("NFKD", branch.casefold()).encode("ascii", errors="ignore").decode()
    found = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:30].rstrip("_")
    return found or f"branch_{hashlib.sha256(branch.encode()).hexdigest()[:6]}"


def _ask(directory: Path, *argv: str) -> str | None:
    result = shell.run(["git", *argv], cwd=directory, check=False)
    return result.stdout.strip() if result.code == 0 else None
