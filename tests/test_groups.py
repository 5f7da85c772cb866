"""Tests of one group share an engine, a stack or a server's memory: they run in one process, one at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.own_places import surroundings

CASES = """
import os
import pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("case", range(20))
def test_of_one_group(case):
    with open("processes", "a") as file:
        print(os.getpid(), file=file)

@pytest.mark.parametrize("case", range(20))
def test_of_none(case):
    pass
"""


def test_tests_of_one_group_run_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "test_cases.py").write_text(CASES)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n2", "--dist", "loadgroup"]
    subprocess.run(words, cwd=tmp_path, env=surroundings(tmp_path), check=True, capture_output=True)
    ran = (tmp_path / "processes").read_text().splitlines()
    assert (len(ran), len(set(ran))) == (20, 1)
