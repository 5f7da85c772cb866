"""How greenroom and the agent hear each other: standard input, standard output, signals."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import Any, Callable, Dict

from .events import Events


class Dialogue:
    """Standard input and output, taken from the app: it reads nothing, and what it prints goes to standard error."""

    def __init__(self) -> None:
        self.events = Events(os.dup(1))
        self._requests = os.fdopen(os.dup(0), "rb", buffering=0)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    def listen(self) -> Dict[str, Any]:
        """The next line; at the end of input nobody wants anything, and the process ends."""
        line = self._requests.readline()
        if not line.strip():
            os._exit(0)
        return json.loads(line)  # type: ignore[no-any-return]


def stop_on_signals(events: Events, running: Callable[[], Any]) -> None:
    """Ctrl-C and SIGTERM end the process quietly, also in the middle of a statement: the server is asked to cancel it.

    A handler of Python's would wait for psycopg2 to come back from the statement; a thread behind a pipe does not.
    """
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)

    def wait() -> None:
        number = os.read(receiver, 1)[0]
        while number not in (signal.SIGINT, signal.SIGTERM):
            number = os.read(receiver, 1)[0]
        events.leave_in_silence(128 + number, lambda: running().cancel())

    threading.Thread(target=wait, name="greenroom-signals", daemon=True).start()
