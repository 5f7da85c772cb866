from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from greenroom import shell
from greenroom.errors import GreenroomError

PYTHON = sys.executable


def test_run_returns_what_was_printed(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['COLOUR'], sys.stdin.read()); print('low', file=sys.stderr)"
    done = shell.run([PYTHON, "-c", code], env={"COLOUR": "red"}, cwd=tmp_path, stdin="in")
    assert (done.code, done.stdout, done.stderr) == (0, f"{tmp_path} red in\n", "low\n")


def test_run_quotes_for_nobody() -> None:
    assert shell.run(["printf", "%s", "$HOME; `id` 'x'"]).stdout == "$HOME; `id` 'x'"


def test_run_failure_names_the_command_and_the_last_line() -> None:
    with pytest.raises(GreenroomError) as caught:
        shell.run(["sh", "-c", "echo first >&2; echo 'no such thing' >&2; exit 3"])
    assert str(caught.value) == (
        "`sh -c 'echo first >&2; echo '\"'\"'no such thing'\"'\"' >&2; exit 3'` failed with exit code 3: no such thing"
    )


def test_run_without_check_returns_the_failure() -> None:
    assert shell.run(["sh", "-c", "exit 3"], check=False).code == 3


def test_run_missing_program() -> None:
    with pytest.raises(GreenroomError) as caught:
        shell.run(["no-such-program", "x"])
    assert str(caught.value) == (
        "no-such-program is not on this machine.\n  Install it, then run again: no-such-program"
    )
    assert shell.run(["no-such-program"], check=False).code == 127


@pytest.mark.parametrize(("text", "line"), [("a\nb\n\n", "b"), ("", "(it printed nothing)"), ("  x  ", "x")])
def test_last_line(text: str, line: str) -> None:
    assert shell.last_line(text) == line


def test_foreground_returns_the_code() -> None:
    assert shell.foreground(["sh", "-c", "exit 5"]) == 5
    assert shell.foreground(["sh", "-c", "kill -KILL $$"]) == 128 + signal.SIGKILL


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Terminated")])
def test_foreground_lets_the_program_clean_up_first(number: signal.Signals, name: str) -> None:
    child = (
        "import time\ntry:\n    print('up', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(0.5); print('cleaned', flush=True)"
    )
    parent = (
        "import sys\nfrom greenroom import shell\nfrom greenroom.interrupts import raise_when_terminated\n"
        "raise_when_terminated()\ntry:\n    shell.foreground([sys.executable, '-c', sys.argv[1]])\n"
        "except BaseException as stop:\n    print(type(stop).__name__)"
    )
    with subprocess.Popen(
        [PYTHON, "-c", parent, child], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.communicate(timeout=20)[0] == f"cleaned\n{name}\n"


def test_wait_ends_with_the_program_or_with_the_time() -> None:
    with shell.spawn(["sh", "-c", "read line; exit 3"], stdin=shell.PIPE) as child:
        with pytest.raises(shell.TimeoutExpired):
            child.wait(0.05)
        assert child.stdin
        child.stdin.close()
        assert child.wait(20) == 3
        assert child.wait(20) == 3
