from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.environment.values import read
from greenroom.errors import GreenroomError


def test_read(tmp_path: Path) -> None:
    file = tmp_path / ".env.staging"
    file.write_text("# comment\nA=one\nexport B='two words'\nC=\nD=\"a$X#b\"\nE\nG=${A}\n")
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
        ("A=1\nA=2\n", ".env.staging sets A twice."),
    ],
)
def test_read_malformed_names_the_line_and_no_text(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / ".env.staging"
    file.write_text(text)
    with pytest.raises(GreenroomError) as caught:
        read(file)
    assert caught.value.sentence == sentence
    assert "pl4nted" not in str(caught.value)


def test_read_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(GreenroomError) as caught:
        read(tmp_path / ".env.staging")
    assert caught.value.sentence == f"there is no .env.staging in {tmp_path}."
    assert ".env.example" in caught.value.hint


def test_read_not_text(tmp_path: Path) -> None:
    (tmp_path / ".env.staging").write_bytes(b"A=\xff\xfe")
    with pytest.raises(GreenroomError, match="cannot be read"):
        read(tmp_path / ".env.staging")
