"""A checkout of this repository as a new user has it, whose tasks know no AWS but the stand-in."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.infra.module import ROOT
from tests.integration.moto_server import CREDENTIALS

PASSWORD = "0f-a-Test-and-nothing-else"
GIVEN = ("PATH", "DOCKER_HOST", "TF_CLI_CONFIG_FILE", "TMPDIR")
AT_ONCE = "-parallelism=40"  # most of them sleep: the provider looks again after fixed times
SECONDS = 600.0


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    error: str

    @property
    def problem(self) -> str:
        """For a failing assertion."""
        return f"exit code {self.code}\n{self.out[-3000:]}\n{self.error[-3000:]}"


@dataclass(frozen=True)
class Checkout:
    """`place` holds it, and its user's home. `url` leads to the stand-in."""

    place: Path
    url: str
    more: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.place / "greenroom"

    @property
    def environment(self) -> dict[str, str]:
        given = {name: os.environ[name] for name in GIVEN if name in os.environ}
        aws = {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url, "AWS_MAX_ATTEMPTS": "1"}
        terraform = {"CHECKPOINT_DISABLE": "1", "TF_VAR_database_password": PASSWORD, "TF_CLI_ARGS_apply": AT_ONCE}
        return {**given, "HOME": str(self.place / "home"), **aws, **terraform, **self.more}

    def run(self, command: str, **more: str) -> Said:
        """A line of the shell, typed by somebody who says yes to what it asks."""
        person, terminal = pty.openpty()
        try:
            os.write(person, b"y\n")
            done = subprocess.run(
                ["bash", "-ec", command],
                cwd=self.root,
                env={**self.environment, **more},
                stdin=terminal,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        finally:
            os.close(person), os.close(terminal)
        assert "Traceback" not in done.stderr, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return Said(done.returncode, done.stdout.replace("[y/N] ", "[y/N] y\n"), done.stderr)  # as a terminal shows it


def checked_out(place: Path, url: str) -> Checkout:
    """Every file that git knows, as it is now, in a commit of its own; `./inv` and .venv are those of this checkout."""
    made = Checkout(place, url)
    (place / "home").mkdir()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (made.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, made.root / name)
    (made.root / "inv").unlink()
    (made.root / "inv").symlink_to(ROOT / "inv")
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "x")):
        argv = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *words]
        subprocess.run(argv, cwd=made.root, check=True, capture_output=True)
    return made
