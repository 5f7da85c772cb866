"""squawk, asked once for all migrations: a script each, in a directory that is gone afterwards."""

from __future__ import annotations

import json
import re
import shutil
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from greenroom import shell

SECONDS = 10.0  # it takes hundredths
ROUNDS = 3
SYNTAX_ERROR = "syntax-error"
NO_TRANSACTION = "-- squawk-disable-assume-in-transaction\n"


class Unheard(Exception):
    """squawk could not be asked, or what it said could not be read: half a sentence."""


@dataclass(frozen=True)
class Script:
    """The statements of one migration; `atomic`: they run in one transaction."""

    atomic: bool
    statements: tuple[str, ...]


@dataclass(frozen=True)
class Remark:
    """What it says of a statement, by the places of its script and of the statement in that."""

    script: int
    statement: int
    rule: str
    level: str
    message: str


@dataclass(frozen=True)
class Answer:
    """All that it says; `unread` statements are not in its grammar."""

    version: str | None
    remarks: tuple[Remark, ...] = ()
    unread: int = 0


def ask(scripts: Sequence[Script], server_version: str, directory: Path, program: Path | None = None) -> Answer:
    """Its remarks, in order. Raises Unheard.

    It says nothing else of a script with a statement that it cannot read: that one is left out, and it is asked again.
    """
    if not any(script.statements for script in scripts):
        return Answer(None)
    program = program or installed()
    if program is None:
        raise Unheard("squawk is not installed (squawk-cli on PyPI)")
    version = _version(program)
    left_out: set[tuple[int, int]] = set()
    for _ in range(ROUNDS):
        remarks = _asked(scripts, left_out, server_version, directory, program)
        unread = {(one.script, one.statement) for one in remarks if one.rule == SYNTAX_ERROR}
        if not unread:
            break
        left_out |= unread
    kept = tuple(one for one in remarks if one.rule != SYNTAX_ERROR)
    return Answer(version, kept, len(left_out))


def installed() -> Path | None:
    """The program beside this interpreter, else on PATH."""
    beside = shutil.which("squawk", path=sysconfig.get_path("scripts"))
    found = beside or shutil.which("squawk")
    return Path(found) if found else None


def _version(program: Path) -> str:
    said = _run([program, "--version"]).stdout.split()
    if len(said) != 2 or said[0] != "squawk":
        raise Unheard("the squawk that is found is another program than squawk-cli")
    return said[1]


def _asked(
    scripts: Sequence[Script], left_out: set[tuple[int, int]], server_version: str, directory: Path, program: Path
) -> list[Remark]:
    with tempfile.TemporaryDirectory(prefix="greenroom-hints-") as place:
        files: list[Path] = []
        starts: list[list[int]] = []
        for number, script in enumerate(scripts):
            text, lines = _text(script, {at for of, at in left_out if of == number})
            file = Path(place, f"{number}.sql")
            file.write_text(text, encoding="utf-8")
            starts.append(lines)
            files += [file] if script.statements else []
        words: list[str | Path] = [
            program,
            "--reporter",
            "json",
            "--assume-in-transaction",
            "--pg-version",
            version_of(server_version),
        ]
        done = _run([*words, *files], directory)
    if done.code != 0 and not done.stdout:
        raise Unheard("squawk read nothing: look at excluded_paths in .squawk.toml")
    return _remarks(done.stdout, starts)


def _text(script: Script, left_out: set[int]) -> tuple[str, list[int]]:
    """The script's file, and the line, from 0 on, that each statement begins in."""
    text, starts = "" if script.atomic else NO_TRANSACTION, []
    for at, statement in enumerate(script.statements):
        starts.append(text.count("\n"))
        text += f"{'' if at in left_out else statement};\n"
    return text, starts


def _run(words: Sequence[str | Path], directory: Path | None = None) -> shell.Result:
    try:
        done = shell.run(words, cwd=directory, check=False, timeout=SECONDS)
    except shell.TimeoutExpired:
        raise Unheard(f"squawk did not end within {SECONDS:g} s") from None
    except OSError as error:
        raise Unheard(f"squawk cannot be started: {error.strerror}") from None
    if done.code == 127:
        raise Unheard("squawk is not there")
    if done.code not in (0, 1):
        raise Unheard(f"squawk ended with exit code {done.code}")
    return done


def _remarks(said: str, starts: list[list[int]]) -> list[Remark]:
    try:
        remarks = [_remark(entry, starts) for entry in json.loads(said or "[]")]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise Unheard("squawk's answer is no list of remarks") from None
    return sorted(remarks, key=lambda one: (one.script, one.statement))


def _remark(entry: dict[str, str], starts: list[list[int]]) -> Remark:
    script, line = int(Path(entry["file"]).stem), int(entry["line"])
    statement = sum(start <= line for start in starts[script]) - 1
    return Remark(script, max(statement, 0), entry["rule_name"], entry["level"].lower(), _words(entry))


def _words(entry: dict[str, str]) -> str:
    parts = (entry["message"], entry.get("help") or "")
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part)


def version_of(server_version: str) -> str:
    """A server's version as squawk takes it: `15.18` of `15.18 (Debian 15.18-1)`, `18` of `18beta1`."""
    found = re.match(r"\d+(?:\.\d+)?", server_version)
    return found.group() if found else "0"
