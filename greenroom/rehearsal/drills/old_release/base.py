"""The release that is running: which one it is, its code in a worktree, and an interpreter with its dependencies."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from greenroom import git, places, shell
from greenroom.config import Project
from greenroom.console import Progress
from greenroom.copies.project import interpreter
from greenroom.docker import Image
from greenroom.errors import GreenroomError
from greenroom.postgres import cluster
from greenroom.rehearsal.document import Release
from greenroom.rehearsal.inside import image as images
from greenroom.rehearsal.request import Request

# what pins an app's dependencies, wherever it stands in the repository
PINS = ("requirements*.txt", "requirements/*.txt", "uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock")
# of these, what pip installs, the first that is there
INSTALLABLE = ("requirements/app.txt", "requirements/production.txt", "requirements/prod.txt", "requirements.txt")
INSTALL_SECONDS = 900.0
LOCAL = re.compile(
    r"^\s*(-e|--editable|\.|/)|file:", re.MULTILINE
)  # in requirements: a path, relative to the repository


class NoBase(GreenroomError):
    """There is no release to drill with, for a reason that is said: the drill is not run."""


@dataclass(frozen=True)
class Base:
    """A release's code. `how` says with which dependencies it runs; in its `image`, or (None) on this machine. `commit`
    is what it was built from, where that is known. `origin` is the worktree that its code must come from, and the
    checkout that it must not come from."""

    name: str
    project: Project
    how: str
    image: Image | None = None
    commit: str | None = None
    origin: Mapping[str, str] | None = None

    @property
    def release(self) -> Release:
        """As the document has it."""
        return Release(name=self.name, commit=self.commit, digest=self.image.digest if self.image else None)


@contextmanager
def released(request: Request, progress: Progress) -> Iterator[Base]:
    """The running release's code for as long as the block lasts. Raises NoBase, and GreenroomError where git fails."""
    if request.base_image:
        image = _other_image(request, request.base_image)
        built = images.revision(image)
        commit = None if built and built.endswith(images.DIRTY) else built
        yield Base(request.base_image, request.project, "in its own image", image, commit)
        return
    directory = request.directory
    root, ref, commit = _chosen(request, directory)
    with cluster.private_directory() as place, git.worktree(root, place / "release", commit) as tree:
        inside = tree / directory.relative_to(root)
        if not inside.is_dir():
            raise NoBase(f"{ref} has no directory {directory.relative_to(root)}: the project stood elsewhere then.")
        python, how = _interpreter(request.project, root, tree, directory, progress, place / "environment")
        project = request.project.model_copy(update={"directory": inside, "python": str(python)})
        yield Base(str(ref), project, how, commit=commit, origin={"checkout": str(root), "tree": str(tree)})


def refuse_unknown(request: Request) -> None:
    """Before anything is copied: raises GreenroomError where the release that was named is not here."""
    if request.base_image:
        _other_image(request, request.base_image)
    elif request.base:
        _chosen(request, request.directory)


def _other_image(request: Request, name: str) -> Image:
    """Raises GreenroomError where it is not here, NoBase where it is the one that is rehearsed."""
    found = images.chosen(name)
    if request.image and request.image.id == found.id:
        raise NoBase(
            f"{name} is the image that is rehearsed: there is no older release to drill with.",
            "Name the release that is running: --base-image IMAGE",
        )
    return found


def _chosen(request: Request, directory: Path) -> tuple[Path, str, str]:
    """The repository, the release's name in it, and its commit: HEAD's only where the project's code differs from it.
    Raises NoBase."""
    root = git.root(directory)
    if root is None:
        raise NoBase(
            "There is no git repository to take the running release from.",
            "Name its image, if there is one: --base-image IMAGE",
        )
    head = _new_release(request, root, directory)
    ref = request.base or request.config.rehearsal.base or _newest_tag(root, head)
    commit = git.commit_of(root, ref)
    if commit is None:
        raise NoBase(
            f"git knows no commit {ref}.", "Fetch it (git fetch --tags), or name the running release with --base REF."
        )
    if commit == head:
        raise NoBase(
            f"{ref} is the commit that is {_where(request)}: there is no older release to drill with.",
            "Name the release that is running: --base REF",
        )
    return root, ref, commit


def _new_release(request: Request, root: Path, directory: Path) -> str | None:
    """The commit that is rehearsed; None where it has changes that are not committed: then HEAD may be what runs.

    An image says which it was built from. One that does not is taken to be built from what is checked out.
    """
    if request.image is None:
        return None if git.changed_code(directory) else git.commit_of(root, "HEAD")
    built = images.revision(request.image)
    if built is None:
        return git.commit_of(root, "HEAD")
    return None if built.endswith(images.DIRTY) else git.commit_of(root, built)


def _where(request: Request) -> str:
    return "in the image" if request.image and images.revision(request.image) else "checked out"


def _newest_tag(root: Path, head: str | None) -> str:
    tags = git.tags(root)
    if not tags:
        raise NoBase(
            "There is no release tag to compare with.",
            "Name the release that is running with --base REF (or base in [tool.greenroom.rehearsal]).",
        )
    return next((tag for tag in tags if git.commit_of(root, tag) != head), tags[0])


def _interpreter(
    project: Project, root: Path, tree: Path, directory: Path, progress: Progress, once: Path
) -> tuple[Path, str]:
    """The present environment where the pins are the same, else one that is made from the release's own: in `once`,
    if it is for this drill alone."""
    here, there = pins(root), pins(tree)
    current = Path(interpreter(project, directory))
    if here == there:
        return current, "the same pins, so the same environment" if here else "no pins, so the present environment"
    chosen = next((tree / name for name in INSTALLABLE if (tree / name).exists()), None)
    if chosen is None:
        raise NoBase(
            f"Its pins differ ({', '.join(_changed(here, there))}), and it has none of {', '.join(INSTALLABLE)} "
            "to make an environment from."
        )
    progress.detail(f"installing {chosen.relative_to(tree)} of the release")
    return _environment(chosen, tree, once), f"its own {chosen.relative_to(tree)}"


def pins(root: Path) -> dict[str, str]:
    """Files that pin dependencies, by path, with the digest of their content."""
    found = sorted({path for pattern in PINS for path in root.glob(pattern) if path.is_file()})
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def _changed(here: dict[str, str], there: dict[str, str]) -> list[str]:
    return sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))


def _environment(requirements: Path, tree: Path, once: Path) -> Path:
    """A venv for exactly these pins, kept for the next time, unless they name files of the release's worktree.

    Raises NoBase where they cannot be installed.
    """
    content = requirements.read_bytes()
    place = places.cache() / "releases" / hashlib.sha256(content).hexdigest()[:16]
    if LOCAL.search(content.decode(errors="replace")):
        place = once
    python = place / "bin" / "python"
    if (place / "whole").exists():
        return python
    shutil.rmtree(place, ignore_errors=True)
    for words in _commands(place, requirements):
        done = shell.run(words, cwd=tree, check=False, timeout=INSTALL_SECONDS)
        if done.code != 0:
            shutil.rmtree(place, ignore_errors=True)
            raise NoBase(f"{requirements.name} of the release cannot be installed: {shell.last_line(done.stderr)}")
    (place / "whole").touch()
    return python


def _commands(place: Path, requirements: Path) -> list[list[str | Path]]:
    python = place / "bin" / "python"
    if uv := shutil.which("uv"):
        return [
            [uv, "venv", "--quiet", "--no-config", "--python", sys.executable, place],
            [uv, "pip", "install", "--quiet", "--python", python, "-r", requirements],
        ]
    return [
        [sys.executable, "-m", "venv", place],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r", requirements],
    ]
