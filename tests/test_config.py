from __future__ import annotations

from pathlib import Path

import pytest

from greenroom import config
from greenroom.errors import GreenroomError

ROOT = Path(__file__).resolve().parents[1]


def write(directory: Path, text: str) -> Path:
    (directory / "pyproject.toml").write_text(text)
    return directory


def test_load_without_a_file_gives_defaults(tmp_path: Path) -> None:
    loaded = config.load(tmp_path)
    assert loaded.root == tmp_path
    assert loaded.project == config.Project()
    assert loaded.demo is None
    assert (loaded.rehearsal.budget_read_ms, loaded.rehearsal.budget_write_ms) == (1000, 2000)


def test_load_finds_the_nearest_file_above(tmp_path: Path) -> None:
    write(tmp_path, "[tool.greenroom.project]\ndirectory = 'site'\n")
    below = tmp_path / "site" / "shop"
    below.mkdir(parents=True)
    loaded = config.load(below)
    assert (loaded.root, loaded.project.directory) == (tmp_path, Path("site"))


def test_load_invalid_toml_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(GreenroomError) as caught:
        config.load(write(tmp_path, "[tool.greenroom\n"))
    assert str(caught.value).startswith(f"{tmp_path / 'pyproject.toml'} is not valid TOML: ")
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (
            "[tool.greenroom]\nprojekt = 1\n",
            "tool.greenroom.projekt: Extra inputs are not permitted",
        ),
        (
            "[tool.greenroom.rehearsal]\nprobed_tables = 65\n",
            "tool.greenroom.rehearsal.probed_tables: Input should be less than or equal to 64",
        ),
        (
            "[tool.greenroom.rehearsal]\nbudget_read_ms = 0\ntimeout_seconds = 'long'\n",
            "tool.greenroom.rehearsal.budget_read_ms: Input should be greater than 0; "
            "tool.greenroom.rehearsal.timeout_seconds: "
            "Input should be a valid number, unable to parse string as a number",
        ),
        (
            "[tool.greenroom.demo]\nmigrate_to = []\nload = ['load_demo']\n",
            "tool.greenroom.demo.migrate_to: List should have at least 1 item after validation, not 0",
        ),
    ],
)
def test_load_wrong_value_names_its_path(tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(GreenroomError) as caught:
        config.load(write(tmp_path, text))
    assert str(caught.value) == f"{wrong}\n  Correct it in {tmp_path / 'pyproject.toml'}."


def test_load_root_in_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GreenroomError) as caught:
        config.load(write(tmp_path, "[tool.greenroom]\nroot = 'elsewhere'\n"))
    assert caught.value.sentence == "tool.greenroom.root: it is where the file stands, and cannot be set"


def test_this_repository_is_configured() -> None:
    loaded = config.load(ROOT)
    assert loaded.project.settings == "config.settings.test"
    assert loaded.project.database_variables == config.DatabaseVariables(
        host="DJANGO_DB_HOST",
        port="DJANGO_DB_PORT",
        name="DJANGO_DB_NAME",
        user="DJANGO_DB_USER",
        password="DJANGO_DB_PASS",
        sslmode="DJANGO_DB_SSLMODE",
    )
    assert loaded.demo is not None
    assert loaded.demo.load[0] == "load_demo"
