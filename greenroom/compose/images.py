"""Whether the images of the services are there, and whether the code has changed since they were built."""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from greenroom import git, shell
from greenroom.compose.project import Project
from greenroom.console import Progress
from greenroom.errors import GreenroomError

REVISION = "org.opencontainers.image.revision"
INPUTS = "greenroom.inputs"
REVISION_VARIABLE, INPUTS_VARIABLE = "LEDGER_REVISION", "LEDGER_INPUTS"  # compose.yaml labels with them what it builds
LINES_KEPT = 12
_STEP = re.compile(r"^#\d+ (?:\d+\.\d+ )?")


@dataclass(frozen=True)
class Image:
    """Of a service that is built here. `created` is None where the engine has none."""

    name: str
    service: str
    context: Path
    dockerfile: Path
    created: datetime | None
    labels: Mapping[str, str]

    @cached_property
    def inputs(self) -> dict[str, Path]:
        """The files that it is built from, by their path in the context."""
        return {str(path.relative_to(self.context)): path for path in sorted(_files(self.context, self.dockerfile))}

    @property
    def fingerprint(self) -> str:
        """Of the names and contents of these files."""
        digest = hashlib.sha256()
        for name, path in self.inputs.items():
            content = path.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:32]

    @property
    def changed_last(self) -> str:
        """Where the code is newer, the file that changed last; by content where a label tells what it was built of."""
        if self.created is None or self.labels.get(INPUTS) == self.fingerprint:
            return ""
        times = {name: path.stat().st_mtime for name, path in self.inputs.items()}
        if not self.labels.get(INPUTS):
            revision = self.labels.get(REVISION)
            changed = git.changed_since(self.context, revision) if revision else None
            built = self.created.timestamp()
            times = {n: t for n, t in times.items() if t > built and (changed is None or n in changed)}
        return max(times, key=lambda name: times[name], default="")


def built_here(project: Project) -> list[Image]:
    """Each image once, by the first service that has it. Raises GreenroomError."""
    found: dict[str, str] = {}
    for service, described in project.services.items():
        if described.get("build"):
            found.setdefault(str(described.get("image") or f"{project.name}-{service}"), service)
    return [_image(name, service, project.services[service]["build"]) for name, service in found.items()]


def build(project: Project, images: list[Image], progress: Progress) -> None:
    """Build them, and label them with what they are built of. Raises GreenroomError."""
    checkout = git.checkout(project.root)
    commit = "" if checkout.dirty else checkout.commit or ""
    for image in images:
        progress.step(f"building {image.name}")
        labels = {REVISION_VARIABLE: commit, INPUTS_VARIABLE: image.fingerprint}
        with project.spawned("--progress", "plain", "build", image.service, env=labels) as child:
            last = _followed(child, progress)
        if child.returncode != 0:
            raise GreenroomError(
                f"{image.name} cannot be built. The last that Docker says:\n{last}", "Correct that, then run again."
            )


def age(image: Image) -> str:
    """A sentence where the image is older than the code, else nothing."""
    file = image.changed_last
    if not file:
        return ""
    return f"The image {image.name} is older than the code (changed last: {file}): ./inv up --build builds it anew."


def _followed(child: shell.Popen[bytes], progress: Progress) -> str:
    """Tell what it does until it ends; its last lines."""
    last: deque[str] = deque(maxlen=LINES_KEPT)
    assert child.stdout
    try:
        for line in child.stdout:
            text = _STEP.sub("", line.decode(errors="replace").strip())
            if text:
                progress.detail(text)
                last.append(f"    {text}")
    except BaseException:
        child.terminate()
        raise
    return "\n".join(last)


def _image(name: str, service: str, build: dict[str, Any]) -> Image:
    context = Path(build["context"])
    done = shell.run(["docker", "image", "inspect", name], check=False)
    found = json.loads(done.stdout)[0] if done.code == 0 else {}
    created = datetime.fromisoformat(found["Created"][:19] + "+00:00") if found else None
    labels = (found.get("Config") or {}).get("Labels") or {}
    return Image(name, service, context, context / build.get("dockerfile", "Dockerfile"), created, labels)


def _files(context: Path, dockerfile: Path) -> Iterator[Path]:
    """What is sent to the builder: by the list of what is not left out, where there is one."""
    yield dockerfile
    ignore = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else []
    for place in (context / name for name in [line[1:].strip() for line in lines if line.startswith("!")] or ["."]):
        if place.is_file():
            yield place
        yield from (path for path in place.rglob("*") if path.is_file() and _counts(path.relative_to(context)))


def _counts(path: Path) -> bool:
    return not any(part.startswith(".") or part in ("__pycache__", "build") for part in path.parts)
