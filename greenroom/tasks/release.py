"""Releases: `doctor`, `deploy`, `rollback`, `status` and their parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from invoke import Context, Exit, task

from greenroom.errors import ANSWER_IS_NO, DONE

if TYPE_CHECKING:
    from greenroom.release.doctor import Subject
    from greenroom.release.preparing import Options

HELP = {
    "environment": "of [tool.greenroom.environments], such as staging",
    "image": "digest of the image, sha256:... (default: the one that `build --push` pushed last from here)",
    "unrehearsed": "go without a passing rehearsal, for this reason, which goes on record",
    "yes": "do not ask",
    "dry-run": "only show what would be done",
}


def _help(*names: str, **more: str) -> dict[str, str]:
    return {**{name: HELP[name] for name in names}, **more}


@task(help=_help("environment", "image"), auto_shortflags=False)
def release_files(_context: Context, environment: str, image: str | None = None) -> None:
    """Write imageDetail.json, taskdef.json and appspec.yaml into build/release, validated."""
    from greenroom.environment import registry
    from greenroom.release import files
    from greenroom.release.preparing import located

    config, where = located(environment)
    digest = files.digest(config, image)
    found = files.files(config, where.environment, registry.load(config))
    for path in files.write(config, where.environment, found, digest):
        print(f"wrote {path.relative_to(config.root)}")


@task(
    help=_help(
        "environment",
        "yes",
        "dry-run",
        report="directory of a rehearsal's report (default: the last that was held here)",
    ),
    auto_shortflags=False,
)
def rehearsal_push(
    _context: Context, environment: str, report: str | None = None, yes: bool = False, dry_run: bool = False
) -> None:
    """Put a rehearsal's document where releases of its image look for it; a failed one shuts the gate."""
    from greenroom.interrupts import answered

    with answered():
        raise Exit(code=_push(environment, report, yes=yes, dry_run=dry_run))


@task(help=_help("environment", "image"), auto_shortflags=False)
def release_check(_context: Context, environment: str, image: str | None = None) -> None:
    """May this image migrate that environment? Only with a passing rehearsal. Exit code 1: no."""
    from greenroom.release.checking import check

    print(check(environment, image))


@task(help=_help("environment", "image", "unrehearsed"), auto_shortflags=False)
def doctor(_context: Context, environment: str, image: str | None = None, unrehearsed: str | None = None) -> None:
    """Look for all that would stop a release half way; changes nothing. Exit code 1: something would."""
    from greenroom.guard import Guard
    from greenroom.release import preparing
    from greenroom.release.doctor import unfit
    from greenroom.release.preparing import Options

    config, where = preparing.located(environment)
    with Guard(where.environment) as guard:
        found = preparing.subject(Options(environment, image, unrehearsed), guard, config, where)
        failed = unfit(preparing.examined(found), found.excused)
    raise Exit(code=ANSWER_IS_NO if failed else DONE)


@task(help=_help("environment", "image", "unrehearsed", "yes", "dry-run"), auto_shortflags=False)
def release_migrate(
    _context: Context,
    environment: str,
    image: str | None = None,
    unrehearsed: str | None = None,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Only the first half of `deploy`: the pipeline's migrate stage, with the same gate."""
    from greenroom.release import deploying
    from greenroom.release.preparing import Options

    def do(found: Subject, say: Callable[[str], None]) -> str:
        deploying.migrate(found, say)
        return "The database is migrated; the traffic was not touched."

    _released(Options(environment, image, unrehearsed), "Migrate?", do, only_migrate=True, yes=yes, dry_run=dry_run)


@task(
    help=_help(
        "environment",
        "image",
        "unrehearsed",
        "yes",
        "dry-run",
        **{"despite-alarm": "go while an alarm is on, and let none stop it, for this reason, which goes on record"},
    ),
    auto_shortflags=False,
)
def deploy(
    _context: Context,
    environment: str,
    image: str | None = None,
    unrehearsed: str | None = None,
    despite_alarm: str | None = None,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Release an image: doctor, migrate once by a rehearsed plan, shift the traffic by blue/green, bake."""
    from greenroom.release import deploying
    from greenroom.release.preparing import Options

    options = Options(environment, image, unrehearsed, despite_alarm)
    _released(options, "Release?", deploying.deploy, only_migrate=False, yes=yes, dry_run=dry_run)


@task(
    help=_help(
        "environment",
        "yes",
        "dry-run",
        **{
            "to": "family:revision to go back to, where nothing is under way (default: what ran before)",
            "despite-schema": "although the rehearsal showed that the release before cannot live on the schema",
        },
    ),
    auto_shortflags=False,
)
def rollback(
    _context: Context,
    environment: str,
    to: str | None = None,
    despite_schema: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Go back: break off the deployment that is under way, or deploy what ran before; says what the schema allows."""
    from greenroom.interrupts import answered

    with answered():
        raise Exit(code=_back(environment, to, despite_schema, yes=yes, dry_run=dry_run))


@task(help=_help("environment"), auto_shortflags=False)
def status(_context: Context, environment: str) -> None:
    """Show what runs, where the traffic goes, how the targets are, and the newest deployment."""
    from greenroom import aws
    from greenroom.guard import Guard
    from greenroom.release import place, preparing, standing
    from greenroom.release.codedeploy import CodeDeploy

    _, where = preparing.located(environment)
    with Guard(where.environment) as guard:
        aws.check_account(where.environment)
        for line in standing.told(guard, where, place.service(guard, where), CodeDeploy(guard, where)):
            print(line, flush=True)


def _released(
    options: Options,
    question: str,
    do: Callable[[Subject, Callable[[str], None]], str],
    *,
    only_migrate: bool,
    yes: bool,
    dry_run: bool,
) -> None:
    """Look, refuse, show, ask, do."""
    from greenroom.guard import Guard
    from greenroom.interrupts import answered
    from greenroom.release import deploying, preparing
    from greenroom.tasks.asking import agreed

    with answered():
        config, where = preparing.located(options.environment)
        with Guard(where.environment) as guard:
            found = preparing.subject(options, guard, config, where)
            deploying.refuse(found, preparing.examined(found))
            print(deploying.preview(found, only_migrate=only_migrate), flush=True)
            if dry_run:
                raise Exit(code=DONE)
            if not yes and not agreed(question):
                raise Exit(code=ANSWER_IS_NO)
            guard.agree()
            print(do(found, _say))


def _push(environment: str, report: str | None, *, yes: bool, dry_run: bool) -> int:
    from pathlib import Path

    from greenroom import aws
    from greenroom.guard import Guard
    from greenroom.release import preparing, rehearsals
    from greenroom.tasks.asking import agreed

    config, where = preparing.located(environment)
    directory = Path(report) if report else rehearsals.newest_report(config.root / config.rehearsal.report_dir)
    planned = rehearsals.planned_push(where, directory)
    with Guard(where.environment) as guard:
        aws.check_account(where.environment)
        print(f"{where.shown}\n{planned.shown}", flush=True)
        if dry_run:
            return DONE
        if not yes and not agreed("Push?"):
            return ANSWER_IS_NO
        guard.agree()
        rehearsals.push(guard, where, planned)
    print(
        "pushed" + ("; it failed, so no release of that plan may go out" if planned.rehearsal.verdict == "fail" else "")
    )
    return DONE


def _back(environment: str, to: str | None, despite_schema: bool, *, yes: bool, dry_run: bool) -> int:
    from greenroom import aws
    from greenroom.environment import registry
    from greenroom.guard import Guard
    from greenroom.release import files, place, preparing, rollback
    from greenroom.release.codedeploy import CodeDeploy
    from greenroom.tasks.asking import agreed

    config, where = preparing.located(environment)
    filled = files.files(config, where.environment, registry.load(config))
    with Guard(where.environment) as guard:
        aws.check_account(where.environment)
        deployer = CodeDeploy(guard, where)
        back = rollback.planned(guard, where, deployer, place.service(guard, where), to)
        print(f"{where.shown}\n{back.shown}", flush=True)
        rollback.refuse(back, despite_schema=despite_schema)
        if dry_run:
            return DONE
        if not yes and not agreed("Roll back?"):
            return ANSWER_IS_NO
        guard.agree()
        print(rollback.carry_out(guard, where, deployer, filled, back, _say))
    return DONE


def _say(line: str) -> None:
    print(line, flush=True)
