from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.environment.values import read
from greenroom.errors import GreenroomError


def test_read(tmp_path: Path) -> None:
    file = tmp_path / ".env.staging"
    file.write_text("# comment\nA=one\nexport B='two words'\nC=\nD=\"a$X#b\"\nG=${A}\n")
    assert {name: value.reveal() for name, value in read(file).items()} == {
        "A": "one",
        "B": "two words",
        "D": "a$X#b",
        "G": "${A}",
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("A=1\n'pl4nted\n", ".env.staging, line 2, is not NAME=value."),
        ("A='pl4nted\nB=2\n", ".env.staging, line 1, is not NAME=value."),
        ("A=1\n\n\n# comment\n\nPL4NTED = pl4nted\npl4nted\nB=2\n", ".env.staging, line 7, is not NAME=value."),
        ("A=1\n\nexport pl4nted\n", ".env.staging, line 3, is not NAME=value."),
        ("A=1\n\n'pl4nted\n", ".env.staging, line 3, is not NAME=value."),
        ("A=1\nA=2\n", ".env.staging sets A twice."),
    ],
)
def test_read_malformed_names_the_line_and_no_text(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / ".env.staging"
    file.write_text(text)
    with pytest.raises(GreenroomError) as caught:
        read(file)
    assert caught.value.sentence == sentence
    assert caught.value.hint
    assert "pl4nted" not in str(caught.value)


@pytest.mark.parametrize("line", ["B=pl4nted #more", "export B = pl4nted\t# more", "B= #pl4nted"])
def test_read_refuses_a_secret_that_a_comment_cuts(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env.staging"
    file.write_text(f"A=1 # one\n\n{line}\n")
    with pytest.raises(GreenroomError) as caught:
        read(file, {"B"})
    assert caught.value.sentence == ".env.staging, line 3: what follows the # is a comment, and no part of B."
    assert "single quotes" in caught.value.hint
    assert "pl4nted" not in str(caught.value)
    read(file, {"A2"})


@pytest.mark.parametrize(
    ("line", "value"), [("B='a #b'", "a #b"), ('B="a #b" # comment', "a #b"), ("B=#a#b", "#a#b"), ("B=a b", "a b")]
)
def test_read_a_secret_that_no_comment_cuts(tmp_path: Path, line: str, value: str) -> None:
    (tmp_path / ".env.staging").write_text(f"{line}\n# a comment\n")
    assert read(tmp_path / ".env.staging", {"B"})["B"].reveal() == value


@pytest.mark.parametrize("name", ["A\u200bB", "\u200eAB", "'A B '"])
def test_read_a_name_with_what_cannot_be_seen(tmp_path: Path, name: str) -> None:
    """It would be told as one that is not in the registry, and look like one that is."""
    (tmp_path / ".env.staging").write_text(f"A=1\n{name}=pl4nted\n")
    with pytest.raises(GreenroomError, match=r"^\.env\.staging, line 2: the variable's name (has|begins)") as caught:
        read(tmp_path / ".env.staging")
    assert "pl4nted" not in str(caught.value)


def test_read_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(GreenroomError) as caught:
        read(tmp_path / ".env.staging")
    assert caught.value.sentence == f"there is no .env.staging in {tmp_path}."
    assert ".env.example" in caught.value.hint


def test_read_no_such_file_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GreenroomError) as caught:
        read(Path("values"))
    assert caught.value.sentence == f"there is no values in {tmp_path}."


def test_read_not_text(tmp_path: Path) -> None:
    (tmp_path / ".env.staging").write_bytes(b"A=\xff\xfe")
    with pytest.raises(GreenroomError, match="cannot be read") as caught:
        read(tmp_path / ".env.staging")
    assert "UTF-8" in caught.value.hint


def test_read_what_windows_has_written(tmp_path: Path) -> None:
    """With a mark of byte order, and its own ends of lines."""
    (tmp_path / ".env.staging").write_bytes(b"\xef\xbb\xbfA=1\r\nexport B=2\r\n")
    assert {name: value.reveal() for name, value in read(tmp_path / ".env.staging").items()} == {"A": "1", "B": "2"}
