"""The agent inside a release's image: its own Python and dependencies, our directory beside it, read-only."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from greenroom import shell
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.rehearsal.agent_process import AGENT

INSIDE = "/greenroom-agent"


def refuse_missing(image: str) -> None:
    """Raises GreenroomError where no Docker engine has it."""
    if shell.run(["docker", "image", "inspect", image], check=False).code != 0:
        raise GreenroomError(f"there is no image {image} here, or no Docker engine.", f"Fetch it: docker pull {image}")


@contextmanager
def agent_in(image: str, environment: Mapping[str, str]) -> Iterator[list[str | Path]]:
    """The words that run the agent in a container of `image`; it is removed when the block ends.

    Values of variables do not stand in them: docker takes them from its own environment. The network is this machine's,
    since the copy's server listens on loopback; the agent closes it for the app. Raises GreenroomError.
    """
    refuse_missing(image)
    name = f"greenroom-release-{secrets.token_hex(4)}"
    words: list[str | Path] = ["docker", "run", "--rm", "--interactive", "--name", name, "--network", "host"]
    words += ["--volume", f"{AGENT}:{INSIDE}:ro", *(f"--env={variable}" for variable in environment)]
    try:
        yield [*words, "--entrypoint", "python", image, INSIDE]
    finally:
        with shielded():
            shell.run(["docker", "rm", "--force", name], check=False)
