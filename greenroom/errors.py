"""The one base class of every mistake that a person can mend, and the exit codes of all tasks.

An error says what happened, why it matters (where that is not plain) and what to type next. The program prints it
without a traceback and exits with its code. A subclass exists only where a caller catches it.
"""

from collections.abc import Iterable

from invoke.exceptions import Exit

DONE = 0
ANSWER_IS_NO = 1
COULD_NOT_RUN = 2
INTERRUPTED = 130
TERMINATED = 143


class GreenroomError(Exit):
    """Something a person can mend: one sentence, and the next step.

    `Exit` is what Invoke prints without a traceback, under `./inv` and bare `inv` alike; of an Exit, bare `inv` prints
    the `message`: it holds both.
    """

    def __init__(self, message: str, hint: str = "", *, code: int = COULD_NOT_RUN) -> None:
        self.sentence, self.hint = message, hint
        super().__init__(message=f"{message}\n  {hint}" if hint else message, code=code)

    def __str__(self) -> str:
        return str(self.message)


class Terminated(BaseException):
    """SIGTERM (or SIGHUP) arrived: unwinds like KeyboardInterrupt, so that everything acquired is released.

    The exit code is 128 plus the signal's number: 143 for SIGTERM.
    """

    def __init__(self, signal: int = TERMINATED - 128) -> None:
        self.signal = signal
        super().__init__(signal)


def closest(word: str, known: Iterable[str]) -> str | None:
    """What was perhaps meant by a word that is not known."""
    import difflib  # only when somebody mistyped: it takes milliseconds

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)
