"""The agent as a child process: started in the app's interpreter, spoken to in JSON lines, ended in every case."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from greenroom import shell
from greenroom.errors import GreenroomError

AGENT = Path(__file__).with_name("agent")  # the directory: Python runs its __main__.py
Event = dict[str, Any]


class AgentProcess:
    """A running agent. Its events come from `read_events`; what the app prints is kept, the last 100 lines of it."""

    def __init__(self, process: shell.Popen[bytes], redact: Sequence[str] = ()) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.process = process
        self.stdin, self.events, self.output = process.stdin, process.stdout, process.stderr
        for stream in (self.events, self.output):
            os.set_blocking(stream.fileno(), False)
        self.printed: deque[str] = deque(maxlen=100)
        self._secrets = redact
        self._half: dict[int, bytes] = {}
        self._ended = False

    def say(self, message: Mapping[str, object]) -> None:
        """Send one line. An agent that has ended already is found out by its events."""
        with contextlib.suppress(BrokenPipeError):
            self.stdin.write(json.dumps(message).encode() + b"\n")
            self.stdin.flush()

    def read_events(self) -> list[Event] | None:
        """The events that have arrived since the last call; None when the agent has closed its output."""
        lines = self._read_lines(self.events.fileno())
        return None if lines is None else [json.loads(line) for line in lines]

    def read_output(self) -> bool:
        """Take what the app has printed; False when it has closed its standard error."""
        lines = self._read_lines(self.output.fileno())
        texts = (line.decode(errors="replace") for line in lines or ())
        self.printed.extend(self.redact(text) for text in texts)
        return lines is not None

    def redact(self, text: str) -> str:
        """`text` without the copy's passwords."""
        return shell.redact(text, self._secrets)

    def end(self, grace_seconds: float = 3.0) -> None:
        """Ask it to stop, then make it: the agent and whatever it has started (its own process group).

        Once: afterwards the group's number may be somebody else's.
        """
        if self._ended:
            return
        self._ended = True
        for sig, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 10.0)):
            if self.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, sig)
                with contextlib.suppress(shell.TimeoutExpired):
                    self.process.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # children that it has left behind, though it has ended itself
        for stream in (self.stdin, self.events, self.output):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def _read_lines(self, descriptor: int) -> list[bytes] | None:
        try:
            chunk = os.read(descriptor, 1 << 20)
        except BlockingIOError:
            return []
        *lines, half = (self._half.get(descriptor, b"") + chunk).split(b"\n")
        self._half[descriptor] = half
        return lines if chunk else None


@contextlib.contextmanager
def started(
    python: str,
    project: Path,
    environment: Mapping[str, str],
    redact: Sequence[str] = (),
    words: Sequence[str | Path] = (),
) -> Iterator[AgentProcess]:
    """Start the agent; it is ended when the context is left. `words` start it elsewhere, as in a container.

    It gets a session of its own, so that Ctrl-C in the terminal reaches greenroom alone, which then releases everything
    in order. Raises GreenroomError when the interpreter cannot be started.
    """
    try:
        process = shell.spawn(
            words or [python, AGENT],
            env={"PYTHONUNBUFFERED": "1", **environment},
            cwd=project,
            stdin=shell.PIPE,
            stdout=shell.PIPE,
            stderr=shell.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        what = f"the project's directory {project}" if not project.is_dir() else f"the interpreter {python}"
        raise GreenroomError(f"{what} does not exist.", "Name it with --project DIR and --python EXE.") from error
    except PermissionError as error:
        raise GreenroomError(
            f"{python} cannot be run as a program.", "Name an interpreter with --python EXE."
        ) from error
    agent = AgentProcess(process, redact)
    try:
        yield agent
    finally:
        agent.end()


def hear(agent: AgentProcess, what: str, seconds: float) -> list[Event]:
    """Everything that the agent says, up to `done` or `failed`. Raises GreenroomError when neither comes."""
    heard: list[Event] = []
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(agent.events, selectors.EVENT_READ)
        selector.register(agent.output, selectors.EVENT_READ)
        while not heard or heard[-1]["event"] not in ("done", "failed"):
            if time.monotonic() > deadline:
                raise GreenroomError(f"{what} did not end within {seconds:.0f} s.")
            for key, _ in selector.select(1.0):
                if key.fileobj is agent.output and not agent.read_output():
                    selector.unregister(agent.output)
                elif key.fileobj is agent.events:
                    events = agent.read_events()
                    if events is None:
                        raise GreenroomError(f"The app's process ended before {what} did.")
                    heard += events
    return heard
