"""The image that ships: `build`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context, Exit, task

from greenroom.errors import ANSWER_IS_NO, DONE

if TYPE_CHECKING:
    from greenroom.image.planning import Wishes


@task(
    help={
        "push": "push it to the environment's ECR repository, and write the files of a release into build/release",
        "tag": "its tag (default: the git commit, with -dirty where it does not have all that the image has)",
        "environment": "with --push: of [tool.greenroom.environments] (default: the only one)",
        "platform": "such as linux/arm64 (default: this machine's own); another one needs an emulator",
        "no-cache": "build every layer anew; with --push under a tag that is not there yet",
        "dirty": "push although the tree differs from its commit, or the image would have what git does not track",
        "yes": "with --push: do not ask",
        "dry-run": "only show the command, and where the image would go",
    },
    auto_shortflags=False,
)
def build(
    _context: Context,
    push: bool = False,
    tag: str | None = None,
    environment: str | None = None,
    platform: str | None = None,
    no_cache: bool = False,
    dirty: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Build the app's image with docker buildx; say how large it is, layer by layer, and what changed.

    It is called NAME:TAG and NAME:latest here, NAME as in [tool.greenroom.image]; only NAME:TAG is ever pushed.
    With --push, a commit's tag that an immutable repository has already is not built again: its image is released.
    """
    from greenroom.image.planning import Wishes
    from greenroom.interrupts import answered

    wishes = Wishes(push, tag, environment, platform, no_cache, dirty)
    with answered():
        raise Exit(code=_build(wishes, yes=yes, dry_run=dry_run))


def _build(wishes: Wishes, *, yes: bool, dry_run: bool) -> int:
    """Show what is done, ask where it leaves this machine, and do exactly that."""
    from greenroom import config
    from greenroom.image import making, planning
    from greenroom.tasks.asking import agreed

    plan = planning.plan(config.load(), wishes)
    ready = making.check(plan)
    if dry_run or plan.environment:
        print(making.shown(plan, ready), flush=True)
    if dry_run:
        return DONE
    pushes = ready is not None and ready.there is None
    if pushes and not yes and not agreed("Build and push?"):
        return ANSWER_IS_NO
    for line in making.make(plan, ready):
        print(line, flush=True)
    return DONE
