"""`docker buildx build`: what it does while it runs, and why it failed in one sentence.

Its plain progress is read: `#7 [code 1/2] COPY app /app`, then `#7 ...` for all that this step says.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

from greenroom import shell
from greenroom.console import Progress
from greenroom.docker import NoEngine
from greenroom.docker_images import Built, images
from greenroom.errors import GreenroomError
from greenroom.image.planning import Plan, log_file

STEP = re.compile(r"^#(\d+) (\[(?!internal\b)[^\]]+\] .+|exporting to image)$")
SAYS = re.compile(r"^#(\d+) (?:\d+\.\d+ )?(.*)$")
FAILED = re.compile(r"^ERROR: (?:failed to (?:solve|build): )?(.+)$")
DISK_FULL = re.compile(r"no space left on device", re.IGNORECASE)
SPACES = re.compile(r"\s+")
MOUNTS = re.compile(r"--mount=\S+\s+")
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
            for line in child.stdout:
                text = line.decode(errors="replace").rstrip()
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
    try:
        with images():
            pass
    except NoEngine as error:
        raise GreenroomError(
            error.sentence, "Start it (systemctl start docker), join the group `docker`, or set DOCKER_HOST."
        ) from error
    if shell.run(["docker", "buildx", "version"], check=False).code != 0:
        raise GreenroomError(
            "this docker has no buildx, which builds images.",
            "Install it (Debian: docker-buildx; Docker's own packages: docker-buildx-plugin), then run again.",
        )
    if plan.platform:
        _check_platform(plan)


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

    `running` are those that are not cached.
    """

    progress: Progress
    steps: dict[str, str] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    failed: str = ""
    disk_full: bool = False

    def line(self, text: str) -> None:
        """Take one in."""
        self.disk_full = self.disk_full or bool(DISK_FULL.search(text))
        if step := STEP.match(text):
            self.steps.setdefault(step[1], SPACES.sub(" ", MOUNTS.sub("", step[2]))[:STEP_SHOWN])
            self.progress.detail(self.steps[step[1]])
        elif failed := FAILED.match(text):
            self.failed = failed[1]
        elif (says := SAYS.match(text)) and says[1] in self.steps:
            self._says(*says.groups())

    def _says(self, number: str, text: str) -> None:
        if text == "CACHED":
            return
        if number not in self.running:
            self.running.add(number)
            self.progress.step(self.steps[number])
        if text:
            self.last.append(text)
            self.progress.detail(text)


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
