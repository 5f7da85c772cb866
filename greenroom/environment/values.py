"""A file of values, such as .env.staging: lines of NAME=value, as python-dotenv reads them, without substitution."""

from __future__ import annotations

from pathlib import Path

from greenroom.errors import GreenroomError
from greenroom.secret import Secret


def read(path: Path) -> dict[str, Secret]:
    """The values that are not empty, by name. Raises GreenroomError, with the line and never its text."""
    from dotenv.parser import parse_stream

    try:
        with path.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        raise GreenroomError(
            f"there is no {path.name} in {path.parent}.",
            "Copy .env.example to it and fill it in, or name another file: --from FILE",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise GreenroomError(f"{path} cannot be read ({type(error).__name__}).") from None
    given: dict[str, Secret] = {}
    for binding in bindings:
        if binding.error:
            raise GreenroomError(f"{path.name}, line {binding.original.line}, is not NAME=value.")
        if binding.key in given:
            raise GreenroomError(f"{path.name} sets {binding.key} twice.", "Leave one of them.")
        if binding.key and binding.value:
            given[binding.key] = Secret(binding.value)
    return given
