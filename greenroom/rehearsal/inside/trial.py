"""The image, started once before anything is copied: has it a Python, the project, and settings that can be read?"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import replace

from greenroom import shell
from greenroom.console import Progress
from greenroom.docker import Image
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.rehearsal.agent_process import AgentProcess, Event, hear
from greenroom.rehearsal.inside.address import LOOPBACK
from greenroom.rehearsal.inside.container import Container
from greenroom.rehearsal.inside.image import strange_architecture
from greenroom.rehearsal.launch import addressed, in_image, running
from greenroom.rehearsal.request import Request
from greenroom.secret import Secret

LONGEST = 60.0  # seconds
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # exit codes of what could not be started
TABLE = "[tool.greenroom.project.image]"


def refuse_unusable(request: Request, progress: Progress) -> None:
    """Raises GreenroomError, in a sentence with a next step, where the project does not come up in its image."""
    image = request.image
    if image is None:
        return
    progress.step(f"looking into {image.name}")
    nowhere = Address(LOOPBACK, 5432, "copy", "copy", Secret(secrets.token_urlsafe(24)))
    start = in_image(request, image, nowhere, tls=False, request=addressed(request, nowhere, tls=False))
    assert start.container
    container = replace(start.container, keeps_state=True)
    start = replace(start, container=container)
    with running(start) as agent:
        agent.say({**start.request, "check": True, "lease": ""})
        try:
            last = hear(agent, f"the look into {image.name}", LONGEST)[-1]
        except GreenroomError:
            raise _not_started(image, container, agent) from None
    if last["event"] == "failed":
        raise _failed(request, image, agent, last)


def _failed(request: Request, image: Image, agent: AgentProcess, event: Event) -> GreenroomError:
    """The app's own words, which no row of data can be in: it has met none."""
    own = request.project.image
    message = agent.redact(str(event.get("message") or event["exception"]))
    return GreenroomError(
        f"the project does not come up in {image.name}: {message}",
        f"It was looked for in {own.directory or image.directory}; {TABLE} has directory, settings, and environment.",
    )


def _not_started(image: Image, container: Container, agent: AgentProcess) -> GreenroomError:
    """Nothing of the agent's was heard: the interpreter is missing, for other processors, or ended at once."""
    with contextlib.suppress(shell.TimeoutExpired):
        agent.process.wait(LONGEST)
    agent.read_output()
    code, strange = _exit_code(container), strange_architecture(image)
    if code in (NOT_FOUND, NOT_EXECUTABLE):
        return GreenroomError(
            f"there is no program {container.python} that could be run in {image.name}.",
            f"Name the image's Python: python in {TABLE}; or build the image from one that has it.",
        )
    if strange:
        return GreenroomError(
            f"{strange}, which has no emulator for it.",
            f"Build it for this machine (--platform linux/{image.machine}), and rehearse that one.",
        )
    said = "\n".join(agent.printed)
    return GreenroomError(
        f"Python in {image.name} ended before the project was read (exit code {code}): {shell.last_line(said)}",
        f"Look into it: docker run --rm -it --entrypoint {container.python} {image.name}",
    )


def _exit_code(container: Container) -> int | None:
    asked = ["docker", "inspect", "--format", "{{.State.ExitCode}}", container.name]
    done = shell.run(asked, check=False)
    return int(done.stdout) if done.code == 0 else None
