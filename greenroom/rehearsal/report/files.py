"""The files of a rehearsal: `<report_dir>/<id>/{rehearsal.json,report.html,report.md}`, and `latest` pointing there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from greenroom.errors import GreenroomError
from greenroom.rehearsal.document import Rehearsal
from greenroom.rehearsal.report import html, markdown

DOCUMENT = "rehearsal.json"
PAGE = "report.html"
COMMENT = "report.md"
LATEST = "latest"
TWIN = "twin"


def check_writable(report_dir: Path) -> None:
    """Refuse, before any work is done, a directory that will not take the report. Raises GreenroomError."""
    with _refusal(report_dir):
        report_dir.mkdir(parents=True, exist_ok=True)
        probe = report_dir / f".{os.getpid()}.writable"
        probe.touch()
        probe.unlink()


def write(rehearsal: Rehearsal, report_dir: Path) -> Path:
    """Write the document and its views, point `latest` to them, and return their directory.

    Each file appears whole or not at all; `latest` moves when all are there. Raises GreenroomError.
    """
    directory = report_dir / rehearsal.id
    if directory.parent != report_dir or rehearsal.id in ("", ".", "..", LATEST):
        raise GreenroomError(f"{rehearsal.id!r} cannot be the name of a rehearsal's directory.")
    views = {DOCUMENT: rehearsal.to_json(), PAGE: html.render(rehearsal), COMMENT: markdown.render(rehearsal)}
    with _refusal(report_dir):
        report_dir.mkdir(parents=True, exist_ok=True)
        directory.mkdir(exist_ok=True)
        for name, text in {**views, **_twins(rehearsal)}.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            _replace(directory / name, text)
        _point(report_dir / LATEST, rehearsal.id)
    return directory


def _twins(rehearsal: Rehearsal) -> dict[str, str]:
    """The files of the safe twins, by their place: `twin/app/name.py`. Raises GreenroomError for a place elsewhere."""
    files = [file for twin in rehearsal.twins for file in twin.files]
    odd = [file.path for file in files if len(Path(file.path).parts) != 2 or ".." in Path(file.path).parts]
    if odd:
        raise GreenroomError(f"{odd[0]!r} cannot be the name of a twin's file.")
    return {f"{TWIN}/{file.path}": file.text for file in files}


def read(path: Path) -> Rehearsal:
    """The rehearsal of a document's file, or of the directory that it lies in. Raises GreenroomError."""
    file = path / DOCUMENT if path.is_dir() else path
    try:
        return Rehearsal.model_validate_json(file.read_bytes())
    except OSError as error:
        raise GreenroomError(
            f"{file} cannot be read: {error.strerror}.", "Name a rehearsal.json or its directory."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise GreenroomError(
            f"{file} is not a rehearsal document of this version: {where}: {first['msg']}.",
            "Read it with the greenroom that wrote it, or rehearse again.",
        ) from error


def _replace(file: Path, text: str) -> None:
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def _point(link: Path, target: str) -> None:
    new = link.with_name(f".{link.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    try:
        new.replace(link)
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def _refusal(report_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        file = Path(error.filename2 or error.filename or report_dir)
        what = "" if file == report_dir else f"{file.name}: "
        raise GreenroomError(
            f"the report cannot be written to {report_dir}: {what}{error.strerror}.",
            "Name another directory with --report-dir, or make this one writable.",
        ) from error
