"""Containers in AWS: `ecs-logs`, `ecs-shell`."""

from __future__ import annotations

from invoke import Context, Exit, task

from greenroom.errors import ANSWER_IS_NO, DONE

ENVIRONMENT = "of [tool.greenroom.environments], such as staging"


@task(
    help={
        "environment": ENVIRONMENT,
        "since": "how far back: 10m (default), 2h, 1d",
        "task": "only of this task of ECS, by its id",
        "follow": "go on showing what comes",
    },
    auto_shortflags=False,
)
def ecs_logs(
    _context: Context, environment: str, since: str = "10m", task: str | None = None, follow: bool = False
) -> None:
    """Show what the service's containers write, one-off tasks too."""
    from greenroom import aws
    from greenroom.guard import Guard
    from greenroom.interrupts import answered
    from greenroom.release import logs, place, preparing

    _, where = preparing.located(environment)
    logs.seconds(since)
    with answered(), Guard(where.environment) as guard:
        aws.check_account(where.environment)
        service = place.service(guard, where)
        for line in logs.lines(guard, where, service, since=since, task=task, follow=follow):
            print(line, flush=True)


@task(
    help={
        "environment": ENVIRONMENT,
        "command": "what runs there (default: /bin/sh)",
        "yes": "do not ask",
        "dry-run": "only show what would be done",
    },
    auto_shortflags=False,
)
def ecs_shell(
    _context: Context, environment: str, command: str = "/bin/sh", yes: bool = False, dry_run: bool = False
) -> None:
    """Open a shell in a throw-away task of the release that runs; it ends with the shell."""
    from greenroom.interrupts import answered

    with answered():
        raise Exit(code=_shell(environment, command, yes=yes, dry_run=dry_run))


def _shell(environment: str, command: str, *, yes: bool, dry_run: bool) -> int:
    from greenroom import aws
    from greenroom.guard import Guard
    from greenroom.release import entering, place, preparing
    from greenroom.tasks.asking import agreed

    _, where = preparing.located(environment)
    entering.refuse_missing()
    with Guard(where.environment) as guard:
        aws.check_account(where.environment)
        service = place.service(guard, where)
        print(f"{where.shown}\n{entering.preview(service, command)}", flush=True)
        if dry_run:
            return DONE
        if not yes and not agreed("Start it?"):
            return ANSWER_IS_NO
        guard.agree()
        return entering.enter(guard, where, service, command)
