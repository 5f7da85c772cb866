"""The files of a rehearsal."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.rehearsal.report import files
from tests.rehearsal import examples


def test_write_puts_everything_there(tmp_path: Path) -> None:
    rehearsal = examples.failed()
    directory = files.write(rehearsal, tmp_path / "build" / "rehearsals")
    assert directory == tmp_path / "build" / "rehearsals" / "20261123-204500-7f3a"
    assert sorted(path.name for path in directory.iterdir()) == ["rehearsal.json", "report.html", "report.md", "twin"]
    assert sorted(path.name for path in directory.parent.iterdir()) == ["20261123-204500-7f3a", "latest"]
    assert (directory.parent / "latest").readlink() == Path("20261123-204500-7f3a")
    assert files.read(directory.parent / "latest") == rehearsal


def test_write_again_replaces(tmp_path: Path) -> None:
    rehearsal = examples.passed()
    files.write(rehearsal, tmp_path)
    rehearsal.copy_.dropped = False
    files.write(rehearsal, tmp_path)
    assert files.read(tmp_path / rehearsal.id / "rehearsal.json").copy_.dropped is False


def test_write_points_latest_to_the_newest(tmp_path: Path) -> None:
    rehearsal = examples.passed()
    files.write(rehearsal, tmp_path)
    rehearsal.id = "20261124-080000-0001"
    files.write(rehearsal, tmp_path)
    assert (tmp_path / "latest").readlink() == Path("20261124-080000-0001")


def test_write_is_whole_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal = examples.passed()
    files.write(rehearsal, tmp_path)

    def full(self: Path, *args: object, **kwargs: object) -> int:
        self.touch()
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_text", full)
    rehearsal.project = "another"
    with pytest.raises(GreenroomError, match="No space left on device"):
        files.write(rehearsal, tmp_path)
    monkeypatch.undo()
    assert files.read(tmp_path / "latest").project == "app"
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("name", ["", ".", "..", "latest", "a/b", "/etc"])
def test_write_refuses_an_id_that_is_no_name(tmp_path: Path, name: str) -> None:
    rehearsal = examples.passed()
    rehearsal.id = name
    with pytest.raises(GreenroomError, match="cannot be the name of a rehearsal's directory"):
        files.write(rehearsal, tmp_path)


@pytest.mark.parametrize("refused", [files.check_writable, lambda path: files.write(examples.passed(), path)])
def test_unwritable_directory_is_refused(tmp_path: Path, refused: object) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(GreenroomError) as caught:
        refused(tmp_path / "file" / "rehearsals")  # type: ignore[operator]
    assert str(caught.value) == (
        f"the report cannot be written to {tmp_path / 'file' / 'rehearsals'}: Not a directory.\n"
        "  Name another directory with --report-dir, or make this one writable."
    )
    assert caught.value.code == 2


def test_check_writable_leaves_nothing_behind(tmp_path: Path) -> None:
    files.check_writable(tmp_path / "rehearsals")
    assert list((tmp_path / "rehearsals").iterdir()) == []


def test_latest_that_is_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    with pytest.raises(GreenroomError, match=r"the report cannot be written to .*: Is a directory\."):
        files.write(examples.passed(), tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_read_refuses_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(GreenroomError) as caught:
        files.read(tmp_path / "none.json")
    assert str(caught.value) == (
        f"{tmp_path / 'none.json'} cannot be read: No such file or directory.\n"
        "  Name a rehearsal.json or its directory."
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("{", "the file: Invalid JSON"), ("{}", "id: Field required"), ('{"schema_version": 2}', "schema_version: ")],
)
def test_read_refuses_what_is_no_document(tmp_path: Path, text: str, wrong: str) -> None:
    file = tmp_path / "rehearsal.json"
    file.write_text(text)
    with pytest.raises(GreenroomError) as caught:
        files.read(file)
    assert str(caught.value).startswith(f"{file} is not a rehearsal document of this version: {wrong}")


def test_twins_lie_beside_the_report(tmp_path: Path) -> None:
    directory = files.write(examples.failed(), tmp_path)
    [file] = [path for path in (directory / "twin").rglob("*") if path.is_file()]
    assert file.relative_to(directory) == Path("twin/ledger/0007_statement_run_index.py")
    assert file.read_text() == examples.INDEX_TWIN


@pytest.mark.parametrize("path", ["../x.py", "x.py", "/etc/x.py", "a/b/c.py"])
def test_write_refuses_a_twin_that_would_lie_elsewhere(tmp_path: Path, path: str) -> None:
    rehearsal = examples.failed()
    rehearsal.twins[0].files[0].path = path
    with pytest.raises(GreenroomError, match="cannot be the name of a twin's file"):
        files.write(rehearsal, tmp_path)
