"""What keeps containers from starting, told before anything is done."""

from __future__ import annotations

import re

from greenroom import docker, ports, shell
from greenroom.compose.project import ALL, Port, Project
from greenroom.docker_refusals import NoEngine
from greenroom.errors import GreenroomError

WITHOUT = "Without containers: ./inv serve"
_PUBLISHED = re.compile(r"\$\{(\w+):-(\d+)\}:(\d+)")


def refuse_without_engine() -> None:
    """Raises GreenroomError where no engine answers, or `docker compose` is missing."""
    try:
        with docker.engine():
            pass
    except NoEngine as error:
        raise GreenroomError(error.sentence, f"Start it: systemctl start docker. {WITHOUT}") from None
    if shell.run(["docker", "compose", "version"], check=False).code != 0:
        raise GreenroomError("docker has no `compose` command.", f"Install its plugin docker-compose. {WITHOUT}")


def refuse_unknown_profiles(project: Project) -> None:
    """Docker takes any name. Raises GreenroomError."""
    known = project.run("config", "--profiles").stdout.split()
    for name in project.profiles:
        if name not in known and (name,) != ALL:
            raise GreenroomError(f"compose.yaml has no profile {name}.", f"There is: {', '.join(known) or 'none'}.")


def refuse_taken_ports(project: Project) -> None:
    """Raises GreenroomError for one that somebody else listens on; what stands of the project has its own."""
    own = {number for container in project.containers for number in container.ports}
    for port in project.ports:
        why = "" if port.number in own else ports.why_not(port.host, port.number)
        if why:
            raise GreenroomError(
                f"port {port.number}, where {port.service} is to be reached, cannot be used: {why}.",
                _other(project, port),
            )


def _other(project: Project, port: Port) -> str:
    """How another is chosen: by the variable that compose.yaml takes it from, if it does."""
    shows = f"`ss -ltnp 'sport = :{port.number}'` shows who listens there"
    for name, default, inside in _PUBLISHED.findall(project.text):
        if (shell.variable(name) or default, int(inside)) == (str(port.number), port.inside):
            other = port.number + (1000 if port.number < ports.HIGHEST - 1000 else -1000)
            profiles = "".join(f" --profile {profile}" for profile in project.profiles if (profile,) != ALL)
            return f"{shows}; or choose another: {name}={other} ./inv up{profiles}"
    return f"{shows}."
