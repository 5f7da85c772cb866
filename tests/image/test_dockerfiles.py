"""What no Dockerfile of ours may have: it would need more than the base image and the package index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from greenroom.tasks.checks import DOCKERFILES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_dockerfile_needs_its_base_alone(name: str) -> None:
    text = (ROOT / name).read_text()
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE))
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert bases and set(bases) <= {"${BASE}", *stages}
    assert set(re.findall(r"--from=(\S+)", text)) <= stages
    assert re.search(r"^ARG BASE=(python:3\.13-slim-trixie|postgres:18)$", text, re.MULTILINE)
    assert "syntax=" not in text and "type=secret" not in text


def test_dependencies_have_a_layer_of_their_own_and_are_held_against_their_hashes() -> None:
    """What changes with the code comes after; pip's cache and the pins are mounted, and stay out of the layer."""
    text = (ROOT / "app" / "Dockerfile").read_text()
    stage = re.split(r"^FROM ", text, flags=re.MULTILINE)[1]
    (install,) = (run for run in re.findall(r"^RUN (?:.*\\\n)*.*", stage, re.MULTILINE) if " install " in run)
    assert "COPY" not in stage
    assert "--mount=type=cache,target=/var/cache/pip" in install and "source=requirements/app.txt" in install
    assert "--require-hashes" in install and "--requirement /tmp/app.txt" in install


@pytest.mark.parametrize("name", DOCKERFILES)
def test_dockerfile_ends_as_a_number_and_runs_no_shell(name: str) -> None:
    text = (ROOT / name).read_text()
    assert re.fullmatch(r"\d+:\d+", re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1])
    assert re.findall(r"^(?:CMD|ENTRYPOINT) (?!\[)", text, re.MULTILINE) == []
