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


@pytest.mark.parametrize("name", DOCKERFILES)
def test_dockerfile_ends_as_a_number_and_runs_no_shell(name: str) -> None:
    text = (ROOT / name).read_text()
    assert re.fullmatch(r"\d+:\d+", re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1])
    assert re.findall(r"^(?:CMD|ENTRYPOINT) (?!\[)", text, re.MULTILINE) == []
