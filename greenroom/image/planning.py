"""What is built, under which name, and for where: decided and checked before anything runs."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from greenroom import git
from greenroom.config import Config, Environment
from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.image import context

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9_.]+)?")
COMMIT_SHOWN = 12  # characters of a commit in a tag
DIRTY = "-dirty"
NAMED = 3  # files that no commit has and the image would
NEWEST = "latest"  # on this machine: never pushed


@dataclass(frozen=True)
class Wishes:
    """The options of `build`."""

    push: bool = False
    tag: str | None = None
    environment: str | None = None
    platform: str | None = None
    no_cache: bool = False
    dirty: bool = False


@dataclass(frozen=True)
class Plan:
    """One build. `environment` is where it is pushed for; None: it stays here. `dirty`: no commit has all of it."""

    config: Config
    wishes: Wishes
    tag: str
    revision: str | None
    dirty: bool
    argv: tuple[str, ...]
    platform: str | None
    environment: Environment | None

    @property
    def name(self) -> str:
        """On this machine."""
        return f"{self.config.image.name}:{self.tag}"

    @property
    def shown(self) -> str:
        """What is said before anything runs: the command, and where the image goes."""
        lines = [f"build {self.name}", f"  {shlex.join(self.argv)}"]
        if self.environment:
            lines.append(f"push it for {self.at}")
            lines.append(self.files)
        return "\n".join(lines)

    @property
    def at(self) -> str:
        """Where it is pushed, to the tag; empty where it stays here."""
        where = self.environment
        repository = f"ECR repository {self.config.image.stored_as}:{self.tag}"
        return f"{where.name}: account {where.account}, {where.region}, {repository}" if where else ""

    @property
    def files(self) -> str:
        """What is written of a pushed image."""
        return f"write imageDetail.json, taskdef.json, appspec.yaml into {self.config.image.release_dir}/"


def plan(config: Config, wishes: Wishes) -> Plan:
    """Decide it. Raises GreenroomError: no Dockerfile, context or name, no environment to push for, no commit.

    That is pushed which a commit has whole: neither a tree that differs from it, nor files beside it.
    """
    dockerfile = config.root / config.image.dockerfile
    if not dockerfile.is_file():
        raise GreenroomError(
            f"there is no {config.image.dockerfile} in {config.root}.",
            "Name it: dockerfile = in [tool.greenroom.image] of pyproject.toml.",
        )
    if not (config.root / config.image.context).is_dir():
        raise GreenroomError(
            f"there is no directory {config.image.context} in {config.root}, which the image would be built from.",
            "Name it: context = in [tool.greenroom.image] of pyproject.toml.",
        )
    checkout = git.checkout(config.root)
    environment = _environment(config, wishes) if wishes.push else None
    strangers = context.strangers(config)
    if environment and not wishes.dirty:
        _refuse_changes(config, checkout, strangers)
    dirty = bool(checkout.dirty or strangers)
    tag = _tag(wishes.tag, checkout.commit, dirty)
    if environment and tag == NEWEST:
        raise GreenroomError(
            f"{NEWEST} is never pushed: it does not say what it is of.",
            "Give another --tag; without it, it is the commit.",
        )
    revision = f"{checkout.commit}{DIRTY if dirty else ''}" if checkout.commit else None
    created = git.committed(config.root) if checkout.commit and not dirty else None
    platform = _platform(wishes.platform)
    labels = {"VERSION": tag, "REVISION": revision or "", "CREATED": created or ""}
    words = (
        *("docker", "buildx", "build", "--load", "--provenance=false", "--file", str(config.image.dockerfile)),
        *(word for name, value in labels.items() for word in ("--build-arg", f"{name}={value}")),
        *(("--platform", platform) if platform else ()),
        *(("--no-cache",) if wishes.no_cache else ()),
        *("--tag", f"{config.image.name}:{tag}", "--tag", f"{config.image.name}:{NEWEST}"),
        str(config.image.context),
    )
    return Plan(config, wishes, tag, revision, dirty, words, platform, environment)


def check_unchanged(made: Plan) -> None:
    """Raise GreenroomError where the tree is no longer the one that is to be pushed: saying yes can take a while."""
    if made.environment and plan(made.config, made.wishes) != made:
        raise GreenroomError("the tree is no longer what it was when you were asked: nothing was built.", "Run again.")


def _refuse_changes(config: Config, checkout: git.Checkout, strangers: list[str]) -> None:
    if checkout.dirty:
        raise GreenroomError(
            "the tree differs from its commit, and what is pushed should be found again.",
            "Commit first; or push it all the same: --dirty",
            code=ANSWER_IS_NO,
        )
    if strangers:
        named = ", ".join(strangers[:NAMED]) + (f" and {len(strangers) - NAMED} more" if len(strangers) > NAMED else "")
        ignore_file = context.ignore_file(config).relative_to(config.root)
        raise GreenroomError(
            f"git does not track what the image would have: {named}; and what is pushed should be found again.",
            f"Take that away, commit it, or leave it out in {ignore_file}; or push it all the same: --dirty",
            code=ANSWER_IS_NO,
        )


def _tag(given: str | None, commit: str | None, dirty: bool) -> str:
    if given is not None:
        if not TAG.fullmatch(given):
            raise GreenroomError(
                f"{given!r} is no tag: at most 128 letters, digits, `_`, `.` and `-`, and neither `.` nor `-` first.",
                "Without --tag it is the git commit.",
            )
        return given
    if commit is None:
        raise GreenroomError("there is no git commit to name the image after.", "Commit first, or give a name: --tag")
    return commit[:COMMIT_SHOWN] + (DIRTY if dirty else "")


def _platform(given: str | None) -> str | None:
    if given and not PLATFORM.fullmatch(given):
        raise GreenroomError(f"--platform is one of the form linux/arm64, not {given}.")
    return given


def _environment(config: Config, wishes: Wishes) -> Environment:
    """Where it is pushed for: the one that is named, or the only one that there is."""
    if wishes.environment:
        return config.environment(wishes.environment)
    if len(config.environments) == 1:
        return config.environment(next(iter(config.environments)))
    known = ", ".join(sorted(config.environments)) or "none"
    raise GreenroomError(
        f"an image is pushed for one of [tool.greenroom.environments] (there: {known}).",
        "Say which: --environment NAME" if config.environments else "Write one there: ssm_path, region, account.",
    )


def log_file(root: Path) -> Path:
    """Where the whole output of the last build lies."""
    return root / "build" / "image" / "build.log"
