"""Everything in AWS, by Terraform: `tf-bootstrap`, `tf-plan`, `tf-apply`, `tf-destroy`, `tf-output`, `hook-package`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from invoke import Context, Exit, task

from greenroom.errors import ANSWER_IS_NO, DONE

if TYPE_CHECKING:
    from greenroom.infra.applying import Plan
    from greenroom.infra.stack import Stack

ENVIRONMENT = "one of [tool.greenroom.environments]"
ENDPOINT = "a stand-in for AWS, such as http://127.0.0.1:5000 (default: AWS_ENDPOINT_URL, else AWS itself)"
WHERE = {"environment": ENVIRONMENT, "endpoint-url": ENDPOINT}
CHANGING = {
    **WHERE,
    "yes": "do not ask",
    "dry-run": "only show what would be done",
    "allow-destroy": "a database, load balancer, repository or bucket that may go, by its address; repeatable",
}


@task(
    help={**WHERE, "yes": "do not ask", "dry-run": "only show what would be done"},
    auto_shortflags=False,
)
def tf_bootstrap(
    _context: Context,
    environment: str,
    endpoint_url: str | None = None,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Make the bucket of Terraform's state: versioned, encrypted, private. Once for an environment."""
    from greenroom.interrupts import answered

    with answered():
        raise Exit(code=_bootstrap(_stack(environment, endpoint_url), yes=yes, dry_run=dry_run))


@task(
    help={
        **WHERE,
        "out": "keep the plan in this file, for tf-apply --plan",
        "check": "exit with 1 when it is not empty",
    },
    auto_shortflags=False,
)
def tf_plan(
    _context: Context,
    environment: str,
    endpoint_url: str | None = None,
    out: str | None = None,
    check: bool = False,
) -> None:
    """Show what Terraform would do, by name."""
    from greenroom.interrupts import answered

    with answered():
        raise Exit(code=_plan(_stack(environment, endpoint_url), out, check=check))


@task(
    help={**CHANGING, "plan": "a plan that tf-plan --out has kept, instead of a new one"},
    iterable=["allow_destroy"],
    auto_shortflags=False,
)
def tf_apply(
    _context: Context,
    environment: str,
    allow_destroy: list[str],
    endpoint_url: str | None = None,
    plan: str | None = None,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Show what Terraform would do, ask, and apply exactly that."""
    from greenroom.interrupts import answered

    with answered():
        stack = _stack(environment, endpoint_url)
        raise Exit(code=_apply(stack, allow_destroy, plan, destroy=False, yes=yes, dry_run=dry_run))


@task(help=CHANGING, iterable=["allow_destroy"], auto_shortflags=False)
def tf_destroy(
    _context: Context,
    environment: str,
    allow_destroy: list[str],
    endpoint_url: str | None = None,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Show everything that is there, ask, and destroy exactly that; what is precious must be named."""
    from greenroom.interrupts import answered

    with answered():
        stack = _stack(environment, endpoint_url)
        raise Exit(code=_apply(stack, allow_destroy, None, destroy=True, yes=yes, dry_run=dry_run))


@task(help={"name": "the one output to print, bare", **WHERE}, auto_shortflags=False)
def tf_output(_context: Context, environment: str, endpoint_url: str | None = None, name: str | None = None) -> None:
    """Print the outputs of the state as JSON; what is sensitive stays there."""
    from greenroom.interrupts import answered

    with answered():
        _output(_stack(environment, endpoint_url, told=sys.stderr), name)


@task
def hook_package(_context: Context) -> None:
    """Package the hook that looks at green before it gets traffic, for Terraform: build/hook.zip."""
    from greenroom import config
    from greenroom.infra import hook

    root = config.load().root
    print(f"wrote {hook.package(root).relative_to(root)}")


def _stack(environment: str, endpoint_url: str | None, told: TextIO | None = None) -> Stack:
    """The environment's stack, its account checked and told."""
    from greenroom import config, shell
    from greenroom.infra import stack

    if endpoint_url:
        shell.set_variable("AWS_ENDPOINT_URL", endpoint_url)
    found = stack.of(config.load(), environment, shell.variable("AWS_ENDPOINT_URL"))
    stack.refuse_other_account(found)
    print(found.environment.place + (f", by {found.endpoint}" if found.endpoint else ""), file=told, flush=True)
    return found


def _bootstrap(stack: Stack, *, yes: bool, dry_run: bool) -> int:
    from greenroom.infra import bootstrap
    from greenroom.tasks.asking import agreed

    steps = bootstrap.lacking(stack)
    if not steps:
        print(f"The bucket {stack.bucket} is there, and as it should be.")
        return DONE
    print("\n".join(f"  + {step.text}" for step in steps))
    if dry_run:
        return DONE
    if not yes and not agreed("Do that?"):
        return ANSWER_IS_NO
    bootstrap.do(stack, steps)
    print(f"Done. Next: ./inv hook-package, then ./inv tf-apply --environment {stack.environment.name}")
    return DONE


def _plan(stack: Stack, out: str | None, *, check: bool) -> int:
    from pathlib import Path

    from greenroom import console
    from greenroom.infra import applying, plan, preparing

    if out:
        applying.refuse_unkept(Path(out))
    with console.progress() as progress:
        preparing.prepare(stack, progress)
        with applying.planned(stack, progress, lock=out is not None) as made:
            if out:
                applying.keep(made, Path(out))
    print(plan.summary(made.changes))
    return ANSWER_IS_NO if check and not made.empty else DONE


def _apply(stack: Stack, allowed: list[str], file: str | None, *, destroy: bool, yes: bool, dry_run: bool) -> int:
    from contextlib import ExitStack
    from pathlib import Path

    from greenroom import console
    from greenroom.infra import applying, plan, preparing

    with ExitStack() as kept:
        with console.progress() as progress:
            preparing.prepare(stack, progress)
            made = (
                applying.saved(stack, Path(file))
                if file
                else kept.enter_context(applying.planned(stack, progress, destroy=destroy, lock=not dry_run))
            )
        print(plan.summary(made.changes), flush=True)
        if made.empty or dry_run or not _agreed(made, allowed, destroy=destroy, yes=yes):
            return DONE if made.empty or dry_run else ANSWER_IS_NO
        with console.progress() as progress:
            applied = applying.apply(made, progress)
    print(applying.told(applied))
    if not destroy:
        print(f"Where it all is: ./inv tf-output --environment {stack.environment.name}")
    return DONE


def _agreed(made: Plan, allowed: list[str], *, destroy: bool, yes: bool) -> bool:
    from greenroom.infra import plan
    from greenroom.tasks.asking import agreed

    plan.refuse_losses(made.changes, allowed)
    verb = "Destroy all that" if destroy else "Apply that"
    return yes or agreed(f"{verb} in {made.stack.environment.name}, account {made.stack.environment.account}?")


def _output(stack: Stack, name: str | None) -> None:
    import json

    from greenroom import console
    from greenroom.errors import GreenroomError
    from greenroom.infra import applying, preparing

    with console.progress() as progress:
        preparing.prepare(stack, progress)
    found = applying.outputs(stack)
    if name and name not in found:
        raise GreenroomError(f"there is no output {name} (there: {', '.join(sorted(found)) or 'none'}).")
    told = found[name] if name else found
    print(told if isinstance(told, str) else json.dumps(told, indent=2))
