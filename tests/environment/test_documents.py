from __future__ import annotations

from pathlib import Path

import pytest

from config.environment import PLAIN_SECRET_KEY
from greenroom.environment import values
from greenroom.environment.documents import documents, example, page, write
from greenroom.environment.registry import Registry
from greenroom.errors import GreenroomError

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path("app/config/environment.py")


@pytest.mark.parametrize("name", ["docs/environment.md", ".env.example"])
def test_documents_are_fresh(registry: Registry, name: str) -> None:
    assert (ROOT / name).read_text() == documents(registry, SOURCE)[Path(name)], "./inv env-docs"


def test_write(tmp_path: Path) -> None:
    assert list(write(tmp_path, {Path("docs/a.md"): "é", Path("b"): "b"})) == [Path("docs/a.md"), Path("b")]
    assert (tmp_path / "docs/a.md").read_bytes() == "é".encode()


@pytest.mark.parametrize("name", ["directory", "file/a.md"])
def test_write_where_something_else_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(GreenroomError, match="cannot be written: ") as caught:
        list(write(tmp_path, {Path(name): "a"}))
    assert "./inv env-docs" in caught.value.hint


def test_page_describes_every_variable_and_shows_no_secret(registry: Registry) -> None:
    text = page(registry, SOURCE)
    for variable in registry.variables.values():
        assert f"### {variable.name}\n\n{variable.description}\n" in text
    assert PLAIN_SECRET_KEY not in text


def test_page_says_who_is_logged_out_by_a_trimmed_key(registry: Registry) -> None:
    assert (
        "Everybody is logged out by the next deployment after `DJANGO_SECRET_KEY` has changed in SSM, if only by a "
        "trimmed blank." in " ".join(page(registry, SOURCE).split())
    )


def test_example_sets_nothing_by_itself(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(example(registry))
    assert values.read(tmp_path / ".env") == {}


def test_example_has_every_name_once_and_demands_what_is_required(registry: Registry) -> None:
    lines = example(registry).splitlines()
    names = [line.removeprefix("# ").partition("=")[0] for line in lines if "=" in line]
    assert sorted(names) == sorted(registry.variables)
    assert [line.partition("=")[0] for line in lines if "=" in line and not line.startswith("#")] == registry.required


def test_example_is_ignored_by_git_under_another_name() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert ignored.index(".env.*") < ignored.index("!.env.example")
