"""The app in its container: `up`, `down`, `ps`, `logs`, `shell`."""

from __future__ import annotations

import sys

from invoke import Context, Exit, task

from greenroom.errors import ANSWER_IS_NO, DONE, GreenroomError


@task(
    help={
        "detach": "return when all are healthy; else their logs follow here, and Ctrl-C takes them down",
        "profile": "of compose.yaml, beside what has none: bastion or aws; repeatable",
        "build": "build the images anew first",
        "demo": "make an admin user and a little demo data, where there is none",
    },
    iterable=["profile"],
    auto_shortflags=False,
)
def up(
    _context: Context,
    detach: bool = False,
    profile: list[str] | None = None,
    build: bool = False,
    demo: bool = False,
) -> None:
    """Start the app and what it needs in containers, as compose.yaml says, and wait until all are healthy."""
    from greenroom import config
    from greenroom.compose import command
    from greenroom.console import progress
    from greenroom.interrupts import answered

    with answered(), progress() as display:

        def say(text: str) -> None:
            display.close()
            print(text, flush=True)

        wanted = command.Wanted(tuple(profile or ()), build=build, demo=demo, detached=detach)
        raise Exit(code=command.up(config.load(), wanted, display, say))


@task(help={"volumes": "remove the database's data too", "yes": "do not ask"}, auto_shortflags=False)
def down(_context: Context, volumes: bool = False, yes: bool = False) -> None:
    """Stop and remove the containers of every profile; the database's data stays for the next time."""
    from greenroom import config
    from greenroom.compose import command, starting
    from greenroom.interrupts import answered
    from greenroom.tasks.asking import agreed

    with answered():
        project = command.project_of(config.load())
        if volumes and not yes and not agreed(f"Remove the data too ({', '.join(project.volumes)})?", preview=False):
            raise Exit(code=ANSWER_IS_NO)
        starting.take_down(project, volumes=volumes)
        print(f"{project.name} is down{', and its data is gone' if volumes else ''}.")


@task
def ps(_context: Context) -> None:
    """Show how the containers are. Exit code 1: none stands, or not all are well."""
    from greenroom import config
    from greenroom.compose import command

    text, well = command.table(command.project_of(config.load()))
    print(text)
    raise Exit(code=DONE if well else ANSWER_IS_NO)


@task(
    help={
        "service": "of compose.yaml (default: all of them)",
        "follow": "go on until Ctrl-C",
        "tail": "the last so many lines of each (default: all)",
    },
    auto_shortflags=False,
)
def logs(_context: Context, service: str | None = None, follow: bool = False, tail: int = 0) -> None:
    """Show what the containers wrote."""
    from greenroom import config
    from greenroom.compose import command
    from greenroom.interrupts import answered

    if tail < 0:
        raise GreenroomError(f"--tail is a number of lines, not {tail}.", "Without it, all are shown.")
    with answered():
        project = command.project_of(config.load())
        services = [project.service(service)] if service else []
        if not follow:
            print(project.said(*services, tail=tail), end="")
            raise Exit(code=DONE)
        raise Exit(code=project.foreground("logs", "--follow", *(["--tail", str(tail)] if tail else []), *services))


@task(help={"service": "of compose.yaml (default: app)"}, auto_shortflags=False)
def shell(_context: Context, service: str = "app") -> None:
    """Open a shell in a running container; where standard input is no terminal, it is what the shell runs."""
    from greenroom import config
    from greenroom.compose import command
    from greenroom.interrupts import answered

    with answered():
        project = command.project_of(config.load())
        if not project.runs(project.service(service)):
            raise GreenroomError(f"no container of {service} runs.", "./inv ps shows which do; ./inv up starts them.")
        raise Exit(code=project.foreground("exec", *([] if sys.stdin.isatty() else ["-T"]), service, "sh"))
