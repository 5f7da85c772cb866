"""The hook's package: the same for the same code, and whole."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.infra import hook

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "ci", tmp_path / "ci")
    return tmp_path


def test_equal_code_is_an_equal_zip(checkout: Path) -> None:
    first = hook.package(checkout).read_bytes()
    (checkout / hook.HANDLER).touch()
    assert hook.package(checkout).read_bytes() == first


def test_other_code_is_another_zip(checkout: Path) -> None:
    first = hook.package(checkout).read_bytes()
    with (checkout / hook.HANDLER).open("a") as file:
        file.write("# more\n")
    assert hook.package(checkout).read_bytes() != first


def test_zip_holds_the_handler_and_no_browser(checkout: Path) -> None:
    names = zipfile.ZipFile(hook.package(checkout)).namelist()
    assert "after_allow_test_traffic.py" in names
    assert "greenroom/__init__.py" in names
    assert "greenroom/smoke/browser.py" not in names


def test_missing_handler_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GreenroomError) as caught:
        hook.package(tmp_path)
    refused = f"there is no ci/after_allow_test_traffic.py in {tmp_path}: the hook cannot be packaged."
    assert str(caught.value).startswith(refused)
