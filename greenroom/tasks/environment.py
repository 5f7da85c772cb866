"""Environment variables: `env-list`, `env-find`, `env-check`, `env-diff`, `env-push`, `env-docs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context, Exit, task

from greenroom.errors import ANSWER_IS_NO, DONE, GreenroomError

if TYPE_CHECKING:
    from greenroom.config import Config, Environment
    from greenroom.environment.registry import Kind, Registry
    from greenroom.secret import Secret

DEPLOYED = "a deployed environment of [tool.greenroom.environments], such as staging"
FILE = "the file of values (default: .env.ENVIRONMENT)"


@task(help={"environment": "only one: production-container, test-container or plain-python"}, auto_shortflags=False)
def env_list(_context: Context, environment: str | None = None) -> None:
    """List the variables that the app knows: type, default, and where the values come from."""
    from greenroom.environment.listing import table

    _, registry = _loaded()
    print(table(registry, _kind(environment)))


@task(positional=["word"], help={"word": "a name, a part of one, or what it is for"}, auto_shortflags=False)
def env_find(_context: Context, word: str) -> None:
    """Look for a variable to reuse before a new one is made. Exit code 1: there is none."""
    from greenroom.environment.listing import found

    config, registry = _loaded()
    text, any_found = found(registry, word, config.project.directory / config.project.registry)
    print(text)
    raise Exit(code=DONE if any_found else ANSWER_IS_NO)


@task(help={"environment": f"also what SSM holds for {DEPLOYED}"}, auto_shortflags=False)
def env_check(_context: Context, environment: str | None = None) -> None:
    """Hold code, compose, task definition, buildspecs, Terraform and documents against the registry."""
    from greenroom.environment import checking, parameters

    config, registry = _loaded()
    deployed = None if environment is None else config.environment(environment)
    wrong = checking.problems(config, registry)
    if deployed:
        print(deployed.place)
        held = parameters.problems(registry, parameters.stored(deployed))
        wrong += [f"SSM {deployed.ssm_path}: {line}" for line in held]
    print("\n".join(wrong) or f"All agree with the registry's {len(registry.variables)} variables.")
    raise Exit(code=ANSWER_IS_NO if wrong else DONE)


@task(help={"environment": DEPLOYED, "from": FILE}, auto_shortflags=False)
def env_diff(_context: Context, environment: str, from_: str | None = None) -> None:
    """Show which values of a file differ from SSM; secrets as fingerprints. Exit code 1: some do."""
    from greenroom.environment import comparing, parameters

    config, registry = _loaded()
    deployed, here = _chosen(config, registry, environment, from_)
    print(deployed.place)
    differences = comparing.compare(registry, here, parameters.stored(deployed))
    print(comparing.table(registry, differences))
    same = all(found.state is comparing.State.SAME for found in differences)
    raise Exit(code=DONE if same else ANSWER_IS_NO)


@task(
    help={"environment": DEPLOYED, "from": FILE, "yes": "do not ask", "dry-run": "only show what would be written"},
    auto_shortflags=False,
)
def env_push(
    _context: Context, environment: str, from_: str | None = None, yes: bool = False, dry_run: bool = False
) -> None:
    """Write into SSM what differs in a file of values; nothing is deleted there."""
    from greenroom.interrupts import answered

    with answered():
        raise Exit(code=_push(environment, from_, yes=yes, dry_run=dry_run))


@task
def env_docs(_context: Context) -> None:
    """Write docs/environment.md and .env.example from the registry."""
    from greenroom.environment.documents import documents, write

    config, registry = _loaded()
    for name in write(config.root, documents(registry, config.project.directory / config.project.registry)):
        print(f"wrote {name}")


def _push(environment: str, file: str | None, *, yes: bool, dry_run: bool) -> int:
    """Show what would be written, ask, and write exactly that."""
    from greenroom.environment import comparing, parameters, pushing
    from greenroom.tasks.asking import agreed

    config, registry = _loaded()
    deployed, here = _chosen(config, registry, environment, file)
    pushing.refuse(registry, here)
    print(deployed.place)
    differences = comparing.compare(registry, here, parameters.stored(deployed))
    changes = pushing.planned(registry, differences, parameters.metadata(deployed))
    print(pushing.preview(registry, differences, changes))
    if dry_run or not changes:
        return DONE
    if not yes and not agreed(f"Write {len(changes)} parameter{'s' if len(changes) > 1 else ''}?"):
        return ANSWER_IS_NO
    for name in pushing.write(deployed, changes):
        print(f"wrote {name}", flush=True)
    print("Running containers keep what they read at their start: a new deployment sees it.")
    return DONE


def _loaded() -> tuple[Config, Registry]:
    from greenroom import config
    from greenroom.environment import registry

    loaded = config.load()
    return loaded, registry.load(loaded)


def _chosen(
    config: Config, registry: Registry, environment: str, file: str | None
) -> tuple[Environment, dict[str, Secret]]:
    """The environment, and the values of its file."""
    from pathlib import Path

    from greenroom.environment import values

    deployed = config.environment(environment)
    path = config.root / f".env.{environment}" if file is None else Path(file)
    return deployed, values.read(path, registry.secrets)


def _kind(environment: str | None) -> Kind | None:
    from greenroom.environment.registry import KINDS

    for kind in KINDS:
        if kind == environment:
            return kind
    if environment is None:
        return None
    raise GreenroomError(f"--environment is {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {environment}.")
