"""Signals that ask the program to stop: turned into exceptions, and held back while something is being released."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from greenroom.errors import INTERRUPTED, Terminated

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def raise_when_terminated() -> None:
    """From now on SIGTERM and SIGHUP raise `Terminated` (with the signal's number), so that context managers unwind.

    A signal that is ignored stays ignored: nohup means it.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _terminated)


def nothing_interrupts() -> None:
    """For the way out, when the exit code is decided: another one would end it with a code of the kernel's.

    Python gives its handlers up before it ends; a signal that is ignored stays ignored.
    """
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def answered() -> Iterator[None]:
    """For a task's body: an interrupted one exits with 130 or 143 when all is released, under bare `inv` as well."""
    raise_when_terminated()
    try:
        yield
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except Terminated as error:
        print("Terminated.", file=sys.stderr)
        raise SystemExit(128 + error.signal) from None


@contextmanager
def shielded() -> Iterator[None]:
    """Hold back SIGINT, SIGTERM and SIGHUP until the end of the block; what arrived is delivered then.

    For releasing: a clean-up that is cut in half leaves a copy behind. Outside the main thread, where Python delivers
    no signals, it does nothing. Blocks nest.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = [(number, signal.signal(number, lambda n, _frame: arrived.append(n))) for number in STOPPING]
    try:
        yield
    finally:
        for stopping, handler in before:
            signal.signal(stopping, signal.SIG_DFL if handler is None else handler)
        for number in dict.fromkeys(arrived):
            signal.raise_signal(number)


def _terminated(number: int, _frame: FrameType | None) -> None:
    raise Terminated(number)
