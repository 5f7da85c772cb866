from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from greenroom import shell
from greenroom.errors import GreenroomError
from greenroom.tasks import checks

ROOT = Path(__file__).parents[2]
PYTEST = [sys.executable, "-m", "pytest"]
PARALLEL = ["-n", "2", "--dist", "loadgroup"]
COVERAGE = ["--cov", "--cov-branch", "--cov-report=term:skip-covered"]


@pytest.mark.parametrize(
    ("full", "select", "workers", "words"),
    [
        (False, "", 2, [*PARALLEL, "-m", "not full"]),
        (False, "", 0, ["-m", "not full"]),
        (False, "lease and not reap", 2, [*PARALLEL, "-m", "not full", "-k", "lease and not reap"]),
        (True, "", 2, [*PARALLEL, *COVERAGE]),
        (True, "lease", 0, ["-k", "lease"]),  # the coverage of a part says nothing
    ],
)
def test_pytest_words(full: bool, select: str, workers: int, words: list[str]) -> None:
    assert checks.pytest_words(full, select, workers) == [*PYTEST, *words]


def test_pytest_words_negative_workers() -> None:
    with pytest.raises(GreenroomError) as caught:
        checks.pytest_words(False, "", -1)
    assert str(caught.value) == "--workers is 0 or more, not -1."


@pytest.mark.parametrize("upgrade", [False, True])
def test_lock_words_pin_for_all_platforms_without_addresses(upgrade: bool) -> None:
    app, dev, tools, peers, moto = checks.lock_words(upgrade)
    for words in (app, dev):
        assert words[:3] == ["uv", "pip", "compile"]
        assert {"--universal", "--generate-hashes", "--no-strip-extras", *checks.NO_ADDRESSES} <= set(words)
        assert any(re.fullmatch("--no-emit-index.url", word) for word in words)
        assert ("--upgrade" in words) == upgrade
    assert dev[-5:] == ["requirements/dev.in", "-c", "requirements/app.txt", "-o", "requirements/dev.txt"]
    assert peers[-3:] == ["requirements/peers.in", "-o", "requirements/peers.txt"]
    assert moto[-5:] == ["requirements/moto.in", "-c", "requirements/dev.txt", "-o", "requirements/moto.txt"]
    assert tools[-3:] == ["requirements/tools.in", "-o", "requirements/tools.txt"]


def test_passes_prints_the_answer_and_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {"ruff": shell.Result((), 1, "app.py:1: E501\n", ""), "mypy": shell.Result((), 0, "", "")}
    monkeypatch.setattr(shell, "run", lambda argv, **_: answers[argv[0].name])
    assert checks.passes(checks.Lint(("ruff", "check"), "ruff check --fix")) is False
    assert checks.passes(checks.Lint(("mypy",), "mypy")) is True
    assert capsys.readouterr().out == "FAIL  ruff check\napp.py:1: E501\n  -> ruff check --fix\n\nok    mypy\n"


def test_passes_leaves_out_what_the_machine_has_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert checks.passes(checks.Lint(("terraform", "fmt"), "terraform fmt", machines=True)) is True
    assert capsys.readouterr().out == "left  terraform fmt: terraform is not installed\n"


def test_every_dockerfile_is_scanned() -> None:
    here = {str(path.relative_to(ROOT)) for room in ("app", "compose") for path in (ROOT / room).rglob("Dockerfile")}
    assert set(checks.DOCKERFILES) == here
    for scanner in ("checkov", "hadolint"):
        assert any(words[0] == scanner and here <= set(words) for words in checks.SCANS)
