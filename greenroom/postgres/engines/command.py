"""A copy that a command makes and another one ends: DBLab, Neon, or a script of yours.

The last line that `acquire` writes to standard output is the copy's URL; nothing of standard output is ever shown.
Lines of standard error are, but for those that could hold a secret. `release` is run in all cases, also when `acquire`
failed halfway. What a command starts ends with it.
"""

from __future__ import annotations

import os
import re
import selectors
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from greenroom import shell
from greenroom.config import CommandTarget
from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres import variables
from greenroom.postgres.account import dies_with_us
from greenroom.postgres.address import Address
from greenroom.postgres.engines import intents
from greenroom.postgres.engines.engine_copy import EngineCopy
from greenroom.postgres.engines.intents import Intent, Noted
from greenroom.postgres.lease import Lease
from greenroom.postgres.remains import dropping
from greenroom.secret import Secret

POLITE_SECONDS = 5.0  # between SIGTERM and SIGKILL
LONGEST_OUTPUT = 1_000_000  # bytes of standard output: the URL is at its end
_SECRETIVE = re.compile(r"\w+://|password|passwd|secret|token", re.IGNORECASE)
_SCHEMES = ("postgresql://", "postgres://")


@contextmanager
def commanded(
    target: CommandTarget, name: str, terms: Lease, password: Secret | None, progress: Progress, *, keep: bool
) -> Iterator[EngineCopy]:
    """Run `acquire`, hand out the copy, run `release`. Raises GreenroomError when a command fails or prints no URL."""
    acquire, release = (filled(argv, name, terms) for argv in (target.acquire, target.release))
    for argv in (acquire, release):
        _refuse_missing(argv, Path.cwd())
    noted = intents.write(Intent(terms, name, tuple(release), str(Path.cwd()), target.timeout_seconds))
    copy: EngineCopy | None = None
    try:
        address = _acquired(acquire, noted, progress)
        address = address if address.password else address.as_role(address.user, password)
        copy = EngineCopy(address, f"{Path(target.acquire[0]).name} at {address.server}", name, "command", _NOTES[:])
        yield copy
    finally:
        if not (keep and copy and copy.whole):
            left_behind = _released(noted, copy.address.password if copy else None, progress)
            if copy:
                copy.dropped = left_behind is None
                copy.notes += [left_behind] if left_behind else []


def release(noted: Noted, secret: Secret | None = None) -> None:
    """Run the command that ends the copy, and forget the intent. Raises GreenroomError, without `secret` in it."""
    intent = noted.intent
    code, _, said = _run(intent.release, intent, noted, lambda _line: None)
    if code != 0:
        last = shell.redact(said, [secret.reveal()] if secret else [])
        raise GreenroomError(
            f"the command that releases {intent.name} failed ({code}): {last}",
            f"Is the copy gone for good? Then forget it: {shlex.join(['rm', str(noted.path)])}",
        )
    noted.forget()


def filled(argv: Sequence[str], name: str, terms: Lease) -> list[str]:
    """The words with `{name}`, `{branch}` and `{until}` (ISO 8601) filled in; other braces stay what they are."""
    values = {"{name}": name, "{branch}": terms.branch, "{until}": terms.until}
    return [re.sub(r"\{(name|branch|until)\}", lambda found: values[found[0]], word) for word in argv]


def _acquired(argv: list[str], noted: Noted, progress: Progress) -> Address:
    program = Path(argv[0]).name
    progress.step(f"{program} makes {noted.intent.name}")
    code, printed, last = _run(argv, noted.intent, noted, progress.detail)
    if code != 0:
        raise GreenroomError(f"{program}, which makes the copy, failed ({code}): {last}", _EXAMPLE)
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    if not lines or not lines[-1].startswith(_SCHEMES):
        raise GreenroomError(
            f"the last line that {program} printed is no URL of a database, and so nobody knows where the copy is.",
            _EXAMPLE,
        )
    return Address.parse(lines[-1])


def _released(noted: Noted, secret: Secret | None, progress: Progress) -> str | None:
    """Run `release`, whole; where it fails, say what was left behind and the command that removes it."""
    progress.step(f"{Path(noted.intent.release[0]).name} ends {noted.intent.name}")
    with shielded():
        try:
            release(noted, secret)
        except GreenroomError as error:
            name = noted.intent.name
            said = f"the copy {name} was left behind: {error.sentence} Remove it with: {dropping(name)}"
            print(said, file=sys.stderr, flush=True)  # at once: the report may never be written
            return said
    return None


def _run(
    argv: Sequence[str], intent: Intent, noted: Noted, on_line: Callable[[str], None]
) -> tuple[int | str, str, str]:
    """Exit code (or why there is none), standard output, and the last line of standard error that may be shown."""
    place = Path(intent.directory)
    _refuse_missing(argv, place)
    with (
        intents.locked(noted) as lock,
        shell.spawn(
            [*dies_with_us(), *argv],
            env=variables.for_others(),
            cwd=place,
            stdin=shell.DEVNULL,
            stdout=shell.PIPE,
            stderr=shell.PIPE,
            pass_fds=[lock],
            start_new_session=True,  # Ctrl-C on the terminal is for us: we end it, and release
        ) as child,
    ):
        try:
            printed, complaints, in_time = _read(child, time.monotonic() + intent.timeout_seconds, on_line)
            code: int | str = child.wait() if in_time else f"not done after {intent.timeout_seconds:g} s"
        finally:
            _end(child)
    shown = [line for line in complaints if _showable(line)]
    return code, printed, shown[-1] if shown else "it said nothing that can be shown"


def _refuse_missing(argv: Sequence[str], place: Path) -> None:
    if not shutil.which(argv[0] if "/" not in argv[0] else str(place / argv[0])):
        raise GreenroomError(
            f"{argv[0]} is not on this machine (looked for from {place}).",
            "Correct acquire and release in the target's table.",
        )


def _read(child: shell.Popen[bytes], deadline: float, on_line: Callable[[str], None]) -> tuple[str, list[str], bool]:
    """Standard output, lines of standard error, and whether both ended before the deadline."""
    assert child.stdout and child.stderr
    held = {child.stdout.fileno(): b"", child.stderr.fileno(): b""}
    with selectors.DefaultSelector() as selector:
        for stream in (child.stdout, child.stderr):
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                got = os.read(key.fd, 65536)
                if not got:
                    selector.unregister(key.fileobj)
                    continue
                held[key.fd] = (held[key.fd] + got)[-LONGEST_OUTPUT:]
                if key.fileobj is child.stderr:
                    _tell(held[key.fd], on_line)
        in_time = not selector.get_map()
    printed, complained = (held[stream.fileno()].decode(errors="replace") for stream in (child.stdout, child.stderr))
    return printed, [line.strip() for line in complained.splitlines() if line.strip()], in_time


def _tell(held: bytes, on_line: Callable[[str], None]) -> None:
    """The last whole line, when it may be shown."""
    lines = held.decode(errors="replace").splitlines(keepends=True)
    whole = [line.strip() for line in lines if line.endswith("\n") and line.strip()]
    if whole and _showable(whole[-1]):
        on_line(whole[-1])


def _showable(line: str) -> bool:
    return not _SECRETIVE.search(line)


def _end(child: shell.Popen[bytes]) -> None:
    """The command and all that it started in its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        deadline = time.monotonic() + POLITE_SECONDS
        while (lives := _lives(child)) and time.monotonic() < deadline:
            time.sleep(0.02)
        if not lives:
            return


def _lives(child: shell.Popen[bytes]) -> bool:
    child.poll()  # a zombie is of its group still
    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return False
    return True


_NOTES = ["the copy's server is another engine's: cache, storage and settings are its own, and so are the times"]
_EXAMPLE = "docs/engines.md has worked examples for DBLab and Neon."
