from __future__ import annotations

from greenroom.console import Silent
from greenroom.image.building import Heard

CACHED = """\
#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s

#4 [dependencies 1/3] FROM python:3.13-slim-trixie
#4 DONE 0.1s

#5 [dependencies 2/3] RUN --mount=type=cache,target=/root/.cache/pip     python -m venv /opt/venv
#5 CACHED

#9 exporting to image
#9 exporting layers done
#9 DONE 0.0s
"""
FAILED = """\
#7 [code 1/2] COPY app /app
#7 DONE 0.0s

#8 [code 2/2] RUN python -m compileall /app
#8 0.301 Compiling '/app/broken.py'...
#8 0.420 SyntaxError: invalid syntax
#8 ERROR: process "/bin/sh -c python -m compileall /app" did not complete successfully: exit code: 1
------
 > [code 2/2] RUN python -m compileall /app:
------
Dockerfile:20
ERROR: failed to solve: process "/bin/sh -c python -m compileall /app" did not complete successfully: exit code: 1
"""


class Told(Silent):
    def __init__(self) -> None:
        self.steps: list[str] = []
        self.details: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)

    def detail(self, text: str) -> None:
        self.details.append(text)


def heard(text: str) -> tuple[Heard, Told]:
    told = Told()
    found = Heard(told)
    for line in text.splitlines():
        found.line(line)
    return found, told


def test_heard_tells_the_steps_that_run_and_not_those_that_are_cached() -> None:
    _, told = heard(CACHED)
    assert told.steps == ["[dependencies 1/3] FROM python:3.13-slim-trixie", "exporting to image"]
    assert "[dependencies 2/3] RUN python -m venv /opt/venv" in told.details  # while nobody knows yet


def test_heard_tells_what_a_step_says_while_it_runs() -> None:
    found, told = heard(FAILED)
    assert told.details.index("Compiling '/app/broken.py'...") < told.details.index("SyntaxError: invalid syntax")
    assert "SyntaxError: invalid syntax" in found.last


def test_heard_keeps_why_it_failed() -> None:
    found, _ = heard(FAILED)
    assert found.failed == (
        'process "/bin/sh -c python -m compileall /app" did not complete successfully: exit code: 1'
    )
    assert not found.disk_full


def test_heard_knows_a_full_disk_wherever_it_is_said() -> None:
    assert heard("#8 0.301 cp: error writing '/x': No space left on device")[0].disk_full
    assert heard("ERROR: failed to solve: write /var/lib/x: no space left on device")[0].disk_full
