"""What is built, under which name, and for where: decided and checked before anything runs."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from greenroom import git
from greenroom.config import Config, Environment
from greenroom.errors import ANSWER_IS_NO, GreenroomError

TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9_.]+)?")
COMMIT_SHOWN = 12  # characters of a commit in a tag
DIRTY = "-dirty"
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
    """One build. `environment` is where it is pushed for; None: it stays here."""

    config: Config
    tag: str
    revision: str | None
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
        if where := self.environment:
            lines.append(f"push it for {where.name}: account {where.account}, {where.region}, ECR repository {self.at}")
            lines.append(f"write imageDetail.json, taskdef.json, appspec.yaml into {self.config.image.release_dir}/")
        return "\n".join(lines)

    @property
    def at(self) -> str:
        """Repository and tag, where it is pushed."""
        return f"{self.config.image.stored_as}:{self.tag}"


def plan(config: Config, wishes: Wishes) -> Plan:
    """Decide it. Raises GreenroomError: no Dockerfile, no name for it, a dirty tree, no environment to push for."""
    dockerfile = config.root / config.image.dockerfile
    if not dockerfile.is_file():
        raise GreenroomError(
            f"there is no {config.image.dockerfile} in {config.root}.",
            "Name it: dockerfile = in [tool.greenroom.image] of pyproject.toml.",
        )
    checkout = git.checkout(config.root)
    environment = _environment(config, wishes) if wishes.push else None
    if environment and checkout.dirty and not wishes.dirty:
        raise GreenroomError(
            "the tree differs from its commit, and what is pushed should be found again.",
            "Commit first; or push it all the same: --dirty",
            code=ANSWER_IS_NO,
        )
    tag = _tag(wishes.tag, checkout)
    revision = f"{checkout.commit}{DIRTY if checkout.dirty else ''}" if checkout.commit else None
    created = git.committed(config.root) if checkout.commit and not checkout.dirty else None
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
    return Plan(config, tag, revision, words, platform, environment)


def _tag(given: str | None, checkout: git.Checkout) -> str:
    if given is not None:
        if not TAG.fullmatch(given):
            raise GreenroomError(
                f"{given!r} is no tag: at most 128 letters, digits, `_`, `.` and `-`, and neither `.` nor `-` first.",
                "Without --tag it is the git commit.",
            )
        return given
    if checkout.commit is None:
        raise GreenroomError("there is no git commit to name the image after.", "Commit first, or give a name: --tag")
    return checkout.commit[:COMMIT_SHOWN] + (DIRTY if checkout.dirty else "")


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
