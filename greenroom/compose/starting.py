"""`up`: the containers started, and waited for until each is healthy, or done with what it was started for."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from greenroom import shell
from greenroom.compose.project import Container, Project
from greenroom.console import Progress
from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.interrupts import shielded

POLL_SECONDS = 0.4
MOST_SECONDS = 600.0
LOG_LINES = 15
OTHER_PASSWORD = "password authentication failed"  # noqa: S105 - the server's own words


class Unwell(GreenroomError):
    """A container is unhealthy, or has ended where it should not; its last log lines stand in the sentence."""


def start(project: Project, progress: Progress) -> None:
    """Start what the services describe and wait until all are well. Nothing is built.

    Raises Unwell (exit code 1), and GreenroomError: what was started stands, to be looked at.
    """
    progress.step(f"starting {project.name}: {', '.join(project.services)}")
    before = project.containers
    with tempfile.TemporaryFile() as said:
        starter = shell.spawn(
            project.words("--progress", "plain", "up", "--detach", "--no-build"),
            cwd=project.root,
            stdin=shell.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,  # Ctrl-C reaches us alone: then all of it is taken down
        )
        try:
            _wait(project, before, starter, said, progress)
        finally:
            if starter.poll() is None:
                starter.terminate()
                starter.wait()


@contextmanager
def down_when_interrupted(project: Project, *, kept: bool) -> Iterator[None]:
    """Ctrl-C and SIGTERM take the containers down; `kept`: only if there were none before. Their data stays."""
    standing = bool(project.containers)
    try:
        yield
    except GreenroomError:
        raise
    except BaseException:
        with shielded():
            if not (kept and standing):
                take_down(project)
        raise


def take_down(project: Project, *, volumes: bool = False) -> None:
    """Stop and remove the containers and networks of all profiles; with `volumes` their data too."""
    project.whole.run("down", "--remove-orphans", *(["--volumes"] if volumes else []))


def _wait(
    project: Project, before: list[Container], starter: shell.Popen[bytes], said: IO[bytes], progress: Progress
) -> None:
    known = {container.id for container in before}
    deadline = time.monotonic() + MOST_SECONDS
    wanted, one_shots = set(project.services), project.one_shots
    while True:
        ended = starter.poll()
        found = [container for container in project.containers if container.service in wanted]
        progress.detail(" · ".join(f"{container.service}: {container.words}" for container in found))
        if bad := first_unwell(found, one_shots, set() if ended is not None else known):
            raise _unwell(project, bad)
        if ended:
            raise _not_started(said)
        if ended == 0 and {found.service for found in found if is_well(found, one_shots)} == wanted:
            return
        if time.monotonic() > deadline:
            raise GreenroomError(f"after {MOST_SECONDS:.0f} s not all are healthy.", "./inv ps shows how they are.")
        time.sleep(POLL_SECONDS)


def is_well(container: Container, one_shots: set[str]) -> bool:
    """Healthy, running where nobody checks, or done with what it was started for."""
    return container.words == "done" if container.service in one_shots else container.words in ("healthy", "running")


def first_unwell(found: list[Container], one_shots: set[str], known: set[str]) -> Container | None:
    """Of those whose id is not among the `known`: what stood before may be about to be started again, or replaced,
    and is stopped for that.
    """
    return next((one for one in found if one.id not in known and _is_unwell(one, one_shots)), None)


def _is_unwell(container: Container, one_shots: set[str]) -> bool:
    over = container.state in ("exited", "dead") and (container.service not in one_shots or container.code != 0)
    return over or container.health == "unhealthy"


def _unwell(project: Project, container: Container) -> Unwell:
    how = "is unhealthy" if container.health == "unhealthy" else f"has ended with exit code {container.code}"
    lines = project.whole.said(container.service, tail=LOG_LINES).strip().splitlines()
    last = "\n".join(f"    {line}" for line in lines) or "    (it wrote nothing)"
    further = "correct it and run ./inv up again, or ./inv down."
    if OTHER_PASSWORD in last:
        further = (
            "the data was made with another DJANGO_DB_PASS: set that one, or remove the data: ./inv down --volumes"
        )
    return Unwell(
        f"{container.service} {how}. Its last lines:\n{last}",
        f"All of them: ./inv logs --service {container.service}; {further}",
        code=ANSWER_IS_NO,
    )


def _not_started(said: IO[bytes]) -> GreenroomError:
    said.seek(0)
    why = shell.last_line(said.read().decode(errors="replace"))
    return GreenroomError(
        f"the containers cannot be started: {why}", "./inv ps shows what stands; ./inv down removes it."
    )
