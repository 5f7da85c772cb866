"""Where no test may be skipped, one that is skipped is a failure that is named; in one process and in several."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.own_places import surroundings

CASES = """
import pytest

def test_held():
    pass

def test_that_skips():
    pytest.skip("needs a part")

@pytest.mark.xfail(strict=False)
def test_that_may_fail():
    raise AssertionError

@pytest.mark.xfail(strict=False)
def test_that_may_fail_and_does_not():
    pass
"""
WHOLE = 'import pytest\npytest.skip("nothing of it here", allow_module_level=True)\n'


def ran(directory: Path, *words: str, may_not: bool) -> tuple[int, str]:
    (directory / "test_cases.py").write_text(CASES)
    (directory / "test_whole.py").write_text(WHOLE)
    (directory / "pytest.ini").write_text("[pytest]\n")
    shutil.copy(Path(__file__).with_name("conftest.py"), directory)
    environment = {**surroundings(directory), "PYTHONPATH": str(Path(__file__).parents[1])}
    environment |= {"GREENROOM_TESTS_MAY_NOT_SKIP": "1"} if may_not else {}
    words = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words)
    done = subprocess.run(words, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one process", "two workers"])
def test_skipped_test_is_a_failure_where_none_may_be(tmp_path: Path, workers: list[str]) -> None:
    code, said = ran(tmp_path, *workers, may_not=True)
    told = sorted(line for line in said.splitlines() if line.startswith("FAILED "))
    suffix = "and GREENROOM_TESTS_MAY_NOT_SKIP is set"
    assert (code, told) == (
        1,
        [
            f"FAILED test_cases.py::test_that_may_fail was xfailed, {suffix}",
            f"FAILED test_cases.py::test_that_may_fail_and_does_not was xpassed, {suffix}",
            f"FAILED test_cases.py::test_that_skips was skipped, {suffix}: Skipped: needs a part",
            f"FAILED test_whole.py was skipped, {suffix}: Skipped: nothing of it here",
        ],
    )


def test_skipped_test_is_none_elsewhere(tmp_path: Path) -> None:
    code, said = ran(tmp_path, may_not=False)
    assert code == 0 and "FAILED" not in said


def test_run_in_which_all_are_held_passes(tmp_path: Path) -> None:
    code, said = ran(tmp_path, "test_cases.py::test_held", may_not=True)
    assert code == 0 and "FAILED" not in said
