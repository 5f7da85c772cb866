"""A file of values, such as .env.staging: lines of NAME=value, as python-dotenv reads them, without substitution."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from greenroom.errors import GreenroomError
from greenroom.secret import Secret, oddity

if TYPE_CHECKING:
    from dotenv.parser import Binding

_COMMENT = re.compile(r"\s#")  # in a value without quotes: it ends here


class Line(NamedTuple):
    """One binding of a file. Its value is None where there is a name alone."""

    number: int
    name: str
    value: Secret | None
    is_cut: bool


def read(path: Path, secrets: Collection[str] = ()) -> dict[str, Secret]:
    """The values that are not empty, by name. Raises GreenroomError, with the line and never its text.

    `secrets`: their values are nowhere shown, so nobody would see that a comment has taken a part of one.
    """
    given: dict[str, Secret] = {}
    for line in lines(path):
        if line.value is None:
            raise _no_value(path, line.number)
        if line.is_cut and line.name in secrets:
            raise GreenroomError(
                f"{path.name}, line {line.number}: what follows the # is a comment, and no part of {line.name}.",
                "Put the value in single quotes; a comment stands on a line of its own.",
            )
        if line.name in given:
            raise GreenroomError(f"{path.name} sets {line.name} twice.", "Leave one of them.")
        if line.value:
            given[line.name] = line.value
    return given


def lines(path: Path) -> list[Line]:
    """Every binding of the file. Raises GreenroomError for what is none."""
    from dotenv.parser import parse_stream

    try:
        with path.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        raise GreenroomError(
            f"there is no {path.name} in {path.absolute().parent}.",
            "Copy .env.example to it and fill it in, or name another file: --from FILE",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise GreenroomError(
            f"{path} cannot be read ({type(error).__name__}).",
            "It is a text file in UTF-8, with lines of NAME=value, as .env.example.",
        ) from None
    return [line for binding in bindings if (line := _line(path, binding))]


def _line(path: Path, binding: Binding) -> Line | None:
    """None for comments and empty lines."""
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    number = binding.original.line + len(blank.splitlines())
    if binding.error:
        raise _no_value(path, number)
    if binding.key is None:
        return None
    if odd := oddity(binding.key):
        raise GreenroomError(f"{path.name}, line {number}: the variable's name {odd}.", "Type the name anew.")
    after = text.partition("=")[2]
    quoted = after.lstrip()[:1] in ("'", '"')
    value = None if binding.value is None else Secret(binding.value)
    return Line(number, binding.key, value, is_cut=not quoted and bool(_COMMENT.search(after)))


def _no_value(path: Path, number: int) -> GreenroomError:
    return GreenroomError(
        f"{path.name}, line {number}, is not NAME=value.",
        "Correct it: a value with spaces stands in quotes, which end on the same line or a later one.",
    )
