"""A port here that leads to a port that only the VPN host reaches.

The forward is a process of its own (`forwarding`): encryption does not stop the loops of this one. It ends when the
pipe to it closes, so also when this process is killed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import greenroom
from greenroom import shell
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded

END_SECONDS = 3.0


@contextmanager
def tunnel(via: str, host: str, port: int, *, config: Path | None = None) -> Iterator[int]:
    """A port on 127.0.0.1 that leads through `via` to `host`:`port`, for as long as the block lasts.

    Raises GreenroomError when `via` refuses us or cannot reach `host`:`port`, and when the connection to it is lost
    while the block fails for that reason.
    """
    words = [sys.executable, "-m", "greenroom.ssh.forwarding"]
    package = Path(greenroom.__file__).resolve().parents[1]
    process = shell.spawn(
        words, cwd=package, stdin=shell.PIPE, stdout=shell.PIPE, stderr=shell.PIPE, start_new_session=True
    )
    try:
        asked = {"via": via, "host": host, "port": port, "config": str(config.absolute()) if config else None}
        yield _port(process, json.dumps(asked))
    except Exception as error:
        if (told := _told(process)) and not isinstance(error, GreenroomError):
            raise told from error
        raise
    finally:
        with shielded():
            _end(process)


def _port(process: shell.Popen[bytes], asked: str) -> int:
    assert process.stdin and process.stdout
    try:
        process.stdin.write(f"{asked}\n".encode())
        process.stdin.flush()
    except BrokenPipeError:
        pass
    answer = process.stdout.readline()
    if answer:
        return int(json.loads(answer)["port"])
    process.wait()
    raise _told(process) or GreenroomError("the tunnel did not start.", "Run it again.")


def _told(process: shell.Popen[bytes]) -> GreenroomError | None:
    """Why the forward has ended; None while it runs."""
    if process.poll() is None or not process.stderr or process.stderr.closed:
        return None
    last = shell.last_line(process.stderr.read().decode(errors="replace"))
    try:
        return GreenroomError(*json.loads(last))
    except ValueError:
        return GreenroomError(f"the tunnel has ended: {last}", "Run it again.")


def _end(process: shell.Popen[bytes]) -> None:
    """It ends as soon as its standard input closes."""
    with process:
        assert process.stdin
        process.stdin.close()
        try:
            process.wait(END_SECONDS)
        except shell.TimeoutExpired:
            process.kill()
