"""Watching what goes on in AWS without us: a bad moment is waited out, and who leaves is told what goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from greenroom.aws import AwsError
from greenroom.errors import GreenroomError

T = TypeVar("T")


def patient(ask: Callable[[], T]) -> T | None:
    """The answer; None: AWS is throttled or cannot be reached just now, which ends nothing that is watched."""
    try:
        return ask()
    except AwsError as error:
        if not error.transient:
            raise
        return None


class Left:
    """What goes on when nobody watches it any more: nothing, until `behind` says what."""

    def __init__(self) -> None:
        self.what, self.hint = "", ""

    def behind(self, what: str, hint: str) -> None:
        """From now on this goes on. `hint`: how to see it."""
        self.what, self.hint = what, hint


@contextmanager
def left_alone() -> Iterator[Left]:
    """Say on the way out what goes on: after a signal, and where AWS does not answer any more.

    A GreenroomError of ours says by itself how things stand.
    """
    left = Left()
    try:
        yield left
    except BaseException as error:
        ours = isinstance(error, GreenroomError) and not isinstance(error, AwsError)
        if left.what and not ours:
            print(f"{left.what} goes on without being watched.\n  {left.hint}", file=sys.stderr)
        raise
