"""`docker buildx build`: what it does while it runs, and why it failed in one sentence.

Its plain progress is read: `#7 [code 1/2] COPY app /app`, then `#7 ...` for all that this step says.
"""

from __future__ import annotations

import os
import re
import selectors
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from greenroom import shell
from greenroom.console import Progress
from greenroom.docker_images import Built, images
from greenroom.docker_refusals import NoEngine
from greenroom.errors import GreenroomError
from greenroom.image.planning import Plan, log_file

STEP = re.compile(r"^#(\d+) (\[(?!internal\b)[^\]]+\] .+|exporting to image)$")
SAYS = re.compile(r"^#(\d+) (?:\d+\.\d+ )?(.*)$")
FAILED = re.compile(r"^ERROR: (?:failed to (?:solve|build): )?(.+)$")
DISK_FULL = re.compile(r"no space left on device", re.IGNORECASE)
SPACES = re.compile(r"\s+")
MOUNTS = re.compile(r"--mount=\S+\s+")
SILENT_SECONDS = 0.3  # a cached step says so at once: one that says nothing for so long is running
STEP_SHOWN = 100  # characters
LINES_KEPT = 12
PLATFORMS = re.compile(r"^Platforms:\s*(.+)$", re.MULTILINE)


def build(plan: Plan, progress: Progress) -> Built:
    """Run it. Raises GreenroomError: no engine, no buildx, a platform it cannot run, a failed step, a full disk."""
    check(plan)
    log = log_file(plan.config.root)
    log.parent.mkdir(parents=True, exist_ok=True)
    heard = Heard(progress)
    argv = [*plan.argv[:3], "--progress=plain", *plan.argv[3:]]
    with (
        log.open("w", encoding="utf-8") as file,
        shell.spawn(argv, cwd=plan.config.root, stdout=shell.PIPE, stderr=shell.STDOUT, stdin=shell.DEVNULL) as child,
    ):
        try:
            assert child.stdout
            for text in _lines(child.stdout):
                if text is None:
                    heard.silence()
                else:
                    file.write(f"{text}\n")
                    heard.line(text)
            code = child.wait()
        except BaseException:
            child.terminate()
            raise
    if code != 0:
        raise _failure(heard, str(log.relative_to(plan.config.root)))
    with images() as here:
        return here.built(plan.name)


def check(plan: Plan) -> None:
    """Raise GreenroomError where it cannot run."""
    shell.run(["docker", "--version"])
    check_engine()
    if shell.run(["docker", "buildx", "version"], check=False).code != 0:
        raise GreenroomError(
            "this docker has no buildx, which builds images.",
            "Install it (Debian: docker-buildx; Docker's own packages: docker-buildx-plugin), then run again.",
        )
    if plan.platform:
        _check_platform(plan)


def check_engine() -> None:
    """Raise GreenroomError where none answers."""
    try:
        with images():
            pass
    except NoEngine as error:
        raise GreenroomError(
            error.sentence, "Start it (systemctl start docker), join the group `docker`, or set DOCKER_HOST."
        ) from error


def _lines(stream: IO[bytes]) -> Iterator[str | None]:
    """The lines as they come; None where none has come for a while."""
    rest = b""
    with selectors.DefaultSelector() as ready:
        ready.register(stream, selectors.EVENT_READ)
        while True:
            if not ready.select(SILENT_SECONDS):
                yield None
                continue
            chunk = os.read(stream.fileno(), 65536)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace").rstrip() for line in lines)
    yield rest.decode(errors="replace").rstrip()


def _check_platform(plan: Plan) -> None:
    """A builder knows what its processor and its emulators run."""
    said = shell.run(["docker", "buildx", "inspect"], cwd=plan.config.root).stdout
    listed = PLATFORMS.search(said)
    runs = [word.strip().rstrip("*") for word in listed[1].split(",")] if listed else []
    if runs and plan.platform not in runs:
        raise GreenroomError(
            f"this builder runs {', '.join(runs)}, and not {plan.platform}.",
            f"On a machine of that kind, or with an emulator (binfmt_misc), this is the command; here: --dry-run.\n"
            f"  {plan.shown.splitlines()[1].strip()}",
        )


@dataclass
class Heard:
    """What the build has said so far; steps that run side by side are told apart by their numbers.

    `waiting` are those of which nobody knows yet whether they run or are cached.
    """

    progress: Progress
    steps: dict[str, str] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    failed: str = ""
    disk_full: bool = False

    def line(self, text: str) -> None:
        """Take one in."""
        self.disk_full = self.disk_full or bool(DISK_FULL.search(text))
        if step := STEP.match(text):
            if step[1] not in self.steps:
                self.steps[step[1]] = SPACES.sub(" ", MOUNTS.sub("", step[2]))[:STEP_SHOWN]
                self.waiting.add(step[1])
        elif failed := FAILED.match(text):
            self.failed = failed[1]
        elif (says := SAYS.match(text)) and says[1] in self.steps:
            self._says(*says.groups())

    def silence(self) -> None:
        """Nothing has come for SILENT_SECONDS."""
        for number in sorted(self.waiting, key=int):
            self._begins(number)

    def _says(self, number: str, text: str) -> None:
        if text == "CACHED":
            self.waiting.discard(number)
            return
        self._begins(number)
        if text:
            self.last.append(text)
            self.progress.detail(text)

    def _begins(self, number: str) -> None:
        if number in self.waiting:
            self.waiting.discard(number)
            self.progress.step(self.steps[number])


def _failure(heard: Heard, log: str) -> GreenroomError:
    if heard.disk_full:
        return GreenroomError(
            "the disk is full: the image could not be built.",
            "`docker system df` shows what takes it; `docker builder prune` and `docker image prune` free it.",
        )
    said = "\n".join(f"  | {line}" for line in heard.last)
    return GreenroomError(
        f"the image could not be built: {heard.failed or 'docker buildx gave no reason'}",
        f"The last that it said:\n{said}\n  All of it: {log}" if said else f"All that it said: {log}",
    )
