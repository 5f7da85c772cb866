"""The commands of `docker compose`, what compose.yaml says, and how its containers are."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from greenroom import shell
from greenroom.errors import GreenroomError

ALL = ("*",)
ATTEMPTS = 5
AGAIN_SECONDS = 0.3
CLEAR_LINE = "\x1b[2K"  # written before each line of a log, terminal or not
SETTINGS = "DJANGO_SETTINGS_MODULE"  # whoever is given it runs the app
COMPLETED = "service_completed_successfully"


@dataclass(frozen=True)
class Port:
    """Published on this machine: `number` there, `inside` in the container."""

    service: str
    host: str
    number: int
    inside: int


@dataclass(frozen=True)
class Container:
    """One of a service. `health` is empty where nobody checks it; `code` is the exit code of one that has ended."""

    id: str
    service: str
    state: str
    health: str
    code: int
    ports: tuple[int, ...] = ()

    @property
    def words(self) -> str:
        """How it is, for people."""
        if self.state == "exited":
            return "done" if self.code == 0 else f"exit code {self.code}"
        return self.health or self.state


@dataclass(frozen=True)
class Project:
    """The compose.yaml in `root`, with some of its profiles."""

    root: Path
    profiles: tuple[str, ...] = ()

    def words(self, *rest: str, plain: bool = True) -> list[str]:
        """The argv of a command of `docker compose`; `plain`: nothing in it is for a terminal."""
        profiles = [word for name in self.profiles for word in ("--profile", name)]
        return ["docker", "compose", *(["--ansi", "never"] if plain else []), *profiles, *rest]

    def run(self, *rest: str, stdin: str | None = None, check: bool = True) -> shell.Result:
        """Run one to its end. Raises GreenroomError, with `check`."""
        return shell.run(self.words(*rest), cwd=self.root, stdin=stdin, check=check)

    def spawned(self, *rest: str, env: Mapping[str, str] | None = None) -> shell.Popen[bytes]:
        """Start one, with further variables; what it writes, wherever, is in its `stdout`."""
        return shell.spawn(
            self.words(*rest), cwd=self.root, env=env, stdin=shell.DEVNULL, stdout=shell.PIPE, stderr=shell.STDOUT
        )

    def foreground(self, *rest: str) -> int:
        """Run one on this terminal; its exit code."""
        return shell.foreground(self.words(*rest, plain=not sys.stdout.isatty()), cwd=self.root)

    @property
    def whole(self) -> Project:
        """The same with every profile: for what stands, whoever started it."""
        return Project(self.root, ALL)

    @property
    def text(self) -> str:
        """compose.yaml as it was written."""
        return next(path for path in _files(self.root) if path.is_file()).read_text(encoding="utf-8")

    @cached_property
    def model(self) -> dict[str, Any]:
        """compose.yaml as Docker reads it: variables put in. Raises GreenroomError."""
        done = self.run("config", "--format", "json", check=False)
        if done.code != 0:
            raise GreenroomError(
                f"compose.yaml cannot be used: {shell.last_line(done.stderr)}",
                "Correct it, or the variable that fills it in; `docker compose config` says the same.",
            )
        return dict(json.loads(done.stdout))

    def refuse_unreadable(self) -> None:
        """Raises GreenroomError where compose.yaml cannot be used."""
        assert self.model

    @property
    def name(self) -> str:
        """What all of it is called on the engine."""
        return str(self.model["name"])

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """Those of the profiles."""
        return dict(self.model.get("services") or {})

    @property
    def one_shots(self) -> set[str]:
        """Services that are meant to end: others wait until they have."""
        waits = [service.get("depends_on") or {} for service in self.services.values()]
        return {name for wait in waits for name, how in wait.items() if how.get("condition") == COMPLETED}

    @property
    def ports(self) -> list[Port]:
        """What the services publish."""
        return [
            Port(name, port.get("host_ip") or "0.0.0.0", int(port["published"]), int(port["target"]))  # noqa: S104
            for name, service in self.services.items()
            for port in service.get("ports") or ()
            if str(port.get("published", "")).isdigit()
        ]

    @property
    def containers(self) -> list[Container]:
        """Those that stand, whichever profile they are of, by service. Raises GreenroomError.

        One that is replaced at this very moment makes `docker compose ps` fail: it is asked again.
        """
        listed = ("ps", "--all", "--no-trunc", "--format", "json")
        for _ in range(ATTEMPTS - 1):
            done = self.whole.run(*listed, check=False)
            if done.code == 0:
                break
            time.sleep(AGAIN_SECONDS)
        else:
            done = self.whole.run(*listed)
        return sorted((_container(json.loads(line)) for line in done.stdout.splitlines()), key=lambda one: one.service)

    @property
    def volumes(self) -> list[str]:
        """Names that the engine has for what outlives the containers."""
        return [str(volume.get("name")) for volume in (self.model.get("volumes") or {}).values()]

    def said(self, *services: str, tail: int = 0) -> str:
        """What the containers wrote: of these services, or all; the last lines, or everything."""
        options = ["--no-log-prefix"] if len(services) == 1 else []
        options += ["--tail", str(tail)] if tail else []
        return self.run("logs", "--no-color", *options, *services).stdout.replace(CLEAR_LINE, "")

    def service(self, name: str) -> str:
        """It, when it is one. Raises GreenroomError naming those that there are."""
        if name not in self.services:
            raise GreenroomError(f"compose.yaml has no service {name}.", f"There is: {', '.join(self.services)}.")
        return name

    def runs(self, service: str) -> bool:
        """Whether a container of it runs at this moment."""
        return any((found.service, found.state) == (service, "running") for found in self.containers)

    def address(self, service: str) -> str:
        """Where a service that publishes a port is reached: a URL where it is the app, else host:port, else nothing."""
        port = next((port for port in self.ports if port.service == service), None)
        if port is None:
            return ""
        given = self.services[service].get("environment") or {}
        if SETTINGS not in given:
            return f"{port.host}:{port.number}"
        protocol, host = (
            given.get("DJANGO_EXTERNAL_PROTOCOL", "http"),
            given.get("DJANGO_EXTERNAL_HOST_NAME", "localhost"),
        )
        return f"{protocol}://{host}:{port.number}"


def opened(root: Path) -> Project:
    """The project in `root`. Raises GreenroomError where there is no compose.yaml."""
    if not any(path.is_file() for path in _files(root)):
        raise GreenroomError(f"there is no compose.yaml in {root}.", "Without containers: ./inv serve")
    return Project(root)


def _files(root: Path) -> list[Path]:
    return [root / "compose.yaml", root / "compose.yml"]


def _container(said: dict[str, Any]) -> Container:
    published = {int(port.get("PublishedPort") or 0) for port in said.get("Publishers") or ()}
    return Container(
        id=said["ID"],
        service=said["Service"],
        state=said["State"],
        health=said.get("Health") or "",
        code=int(said.get("ExitCode") or 0),
        ports=tuple(sorted(published - {0})),
    )
