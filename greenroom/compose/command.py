"""The story of `up`, and the table of `ps`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from greenroom.compose import bastion, images, members, refusals, starting
from greenroom.compose.project import Project, opened
from greenroom.config import Config
from greenroom.console import Progress
from greenroom.errors import DONE


@dataclass(frozen=True)
class Wanted:
    """What `up` is asked for."""

    profiles: tuple[str, ...] = ()
    build: bool = False
    demo: bool = False
    detached: bool = False


def project_of(config: Config) -> Project:
    """The checkout's, with every profile. Raises GreenroomError where no engine answers, or nothing is described."""
    project = opened(config.root).whole
    refusals.refuse_without_engine()
    project.refuse_unreadable()
    return project


def up(config: Config, wanted: Wanted, progress: Progress, say: Callable[[str], None]) -> int:
    """Start it, wait until all are well, say where it is, and follow the logs unless it is detached; the exit code.

    Raises GreenroomError.
    """
    project = replace(project_of(config), profiles=wanted.profiles)
    refusals.refuse_unknown_profiles(project)
    refusals.refuse_taken_ports(project)
    ssh_config = bastion.prepare(project)
    built = images.built_here(project)
    images.build(project, [image for image in built if wanted.build or not image.created], progress)
    with starting.down_when_interrupted(project, kept=wanted.detached):
        starting.start(project, progress)
        if wanted.demo:
            _demo(project, config.demo.load_little if config.demo else [], progress, say)
        told = [_greeting(project), *(images.age(image) for image in images.built_here(project))]
        if ssh_config:
            told.append(bastion.way(ssh_config))
        say("\n".join(filter(None, told)))
        return DONE if wanted.detached else project.foreground("logs", "--follow", "--tail", "0")


def _demo(project: Project, load: Sequence[str], progress: Progress, say: Callable[[str], None]) -> None:
    """An admin user and data, each where there is none: a new one's password is told before all else can fail."""
    progress.step("making an admin user, where there is none")
    say(members.admit(project))
    if load:
        progress.step(f"writing demo data: {' '.join(load)}")
        members.load(project, load)


def table(project: Project) -> tuple[str, bool]:
    """How the containers are, a line each, and whether all are well."""
    found, one_shots = project.containers, project.one_shots
    if not found:
        return f"No container of {project.name} stands: ./inv up", False
    width = max(len(container.service) for container in found)
    lines = [f"{one.service:{width}}  {one.words:12}  {project.address(one.service)}".rstrip() for one in found]
    return "\n".join(lines), all(starting.is_well(container, one_shots) for container in found)


def _greeting(project: Project) -> str:
    """Where its services are reached."""
    reached = [f"  {name}: {address}" for name in project.services if (address := project.address(name))]
    return "\n".join([f"{project.name} is up. Try it: ./inv smoke; end it: ./inv down", *reached])
