"""The exit codes of `./inv`, and what a person reads beside them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

TASKS = '''
"""Trying things: the tasks of this test."""
import sys, time
from invoke import Exit, task
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded

@task(help={"count": "how many", "share": "how much of it", "name": "whose"})
def measure(c, count=1, share=0.5, name=""):
    """Print what was given."""
    print(count, share, name)

@task
def visit(c, place, from_=""):
    """Go there."""
    print(place, from_)

@task
def refuse(c):
    """Say no."""
    raise GreenroomError("The server is not there.", "Start it: pg_ctl start", code=2)

@task
def answer_no(c):
    """Say no without a word."""
    raise Exit(code=1)

@task
def break_down(c):
    """Raise what nobody expected."""
    raise RuntimeError("boom")

@task
def talk(c):
    """Say much."""
    while True:
        print("word", flush=True)

@task
def hold(c):
    """Acquire, wait for a signal, and release."""
    try:
        print("acquired", flush=True)
        time.sleep(60)
    finally:
        with shielded():
            time.sleep(0.3)
            print("released", flush=True)
'''


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("repository")
    (directory / "tasks.py").write_text(TASKS)
    return directory


def words(*argv: str) -> list[str]:
    return [sys.executable, "-P", "-m", "greenroom", *argv]


def inv(directory: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words(*argv), cwd=directory, capture_output=True, text=True)


def test_task_done(repository: Path) -> None:
    done = inv(repository, "measure", "--count", "3", "--share", "0.25")
    assert (done.returncode, done.stdout, done.stderr) == (0, "3 0.25 \n", "")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["mesure"], "There is no task mesure.\n  Did you mean measure? What there is: ./inv --list\n"),
        (["xyz"], "There is no task xyz.\n  What there is: ./inv --list\n"),
        (
            ["measure", "--cont", "3"],
            "measure has no option --cont.\n  Did you mean --count? What there is: ./inv --help measure\n",
        ),
        (["--bogus"], "There is no option --bogus.\n  What there is: ./inv --list\n"),
        (["--help", "mesure"], "There is no task mesure.\n  Did you mean measure? What there is: ./inv --list\n"),
        (
            ["measure", "--name", ""],
            "--name is empty: is a variable not set?\n  Give it a value, or leave it out.\n",
        ),
        (["measure", "--name="], "--name is empty: is a variable not set?\n  Give it a value, or leave it out.\n"),
        (["visit", ""], "PLACE is empty: is a variable not set?\n  Give it a value, or leave it out.\n"),
        (["measure", "--name"], "--name needs a value.\n  Its meaning: ./inv --help measure\n"),
        (
            ["measure", "--count", "many"],
            "--count needs a whole number, not 'many'.\n  What there is: ./inv --help measure\n",
        ),
        (
            ["measure", "--share=half"],
            "--share needs a number, not 'half'.\n  What there is: ./inv --help measure\n",
        ),
        (
            ["-T", "soon", "measure"],
            "--command-timeout needs a whole number, not 'soon'.\n  What there is: ./inv --list\n",
        ),
        (["--list", "--list-format", "table"], "--list-format is flat, nested or json, not table.\n"),
        (["refuse"], "The server is not there.\n  Start it: pg_ctl start\n"),
    ],
)
def test_mistake_is_one_sentence_and_code_2(repository: Path, argv: list[str], message: str) -> None:
    done = inv(repository, *argv)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


@pytest.mark.parametrize(
    "argv", [("--help", "visit"), ("visit", "--help"), ("visit", "-h"), ("measure", "--help"), ("talk", "--help")]
)
def test_help_of_a_task(repository: Path, argv: tuple[str, str]) -> None:
    done = inv(repository, *argv)
    [task] = [word for word in argv if not word.startswith("-")]
    usage, docstring, options = {
        "visit": ("visit PLACE [--options]", "Go there.", ["-f STRING, --from=STRING", "-p STRING, --place=STRING"]),
        "measure": ("measure [--options]", "Print what was given.", ["-c INT, --count=INT"]),
        "talk": ("talk", "Say much.", ["none"]),
    }[task]
    assert (done.returncode, done.stderr) == (0, "")
    usage = f"Usage: ./inv [--core-opts] {usage} [other tasks here ...]"
    assert done.stdout.startswith(f"{usage}\n\nDocstring:\n  {docstring}\n\nOptions:\n")
    assert set(options) <= {line.strip().partition("   ")[0] for line in done.stdout.splitlines()}


def test_word_that_is_a_dash_is_a_word(repository: Path) -> None:
    done = inv(repository, "visit", "-")
    assert (done.returncode, done.stdout) == (0, "- \n")


def test_answer_no_is_code_1_and_silent(repository: Path) -> None:
    done = inv(repository, "answer-no")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_bug_keeps_its_traceback(repository: Path) -> None:
    done = inv(repository, "break-down")
    lines = done.stderr.splitlines()
    assert done.returncode == 70
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2:] == [
        "RuntimeError: boom",
        "This is a bug, not a mistake of yours: please report it with the lines above.",
    ]


def test_no_tasks_file(tmp_path: Path) -> None:
    done = inv(tmp_path, "--list")
    assert (done.returncode, done.stderr) == (
        2,
        f"There is no tasks.py in {tmp_path} or above it.\n  Run it inside the checkout.\n",
    )


def test_package_named_tasks_is_passed_over(repository: Path) -> None:
    inner = repository / "inner"
    (inner / "tasks").mkdir(parents=True)
    (inner / "tasks" / "__init__.py").write_text("raise RuntimeError('the wrong tasks')")
    assert inv(inner, "measure").returncode == 0


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "Interrupted."), (signal.SIGTERM, 143, "Terminated."), (signal.SIGHUP, 129, "Terminated.")],
)
def test_signal_releases_first(repository: Path, number: signal.Signals, code: int, word: str) -> None:
    with subprocess.Popen(words("hold"), cwd=repository, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "acquired\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (code, "released\n", f"{word}\n")


def test_second_signal_does_not_cut_the_release(repository: Path) -> None:
    with subprocess.Popen(words("hold"), cwd=repository, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "acquired\n"
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (143, "released\n", "Terminated.\n")


def test_second_signal_on_the_way_out_changes_no_exit_code(repository: Path) -> None:
    """Python has given its handlers back by then."""
    with subprocess.Popen(words("hold"), cwd=repository, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == "acquired\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "Interrupted.\n"
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 130


def test_list_is_grouped_by_file(repository: Path) -> None:
    for argv in ([], ["--list"]):
        assert inv(repository, *argv).stdout == (
            "Tasks (./inv --help TASK tells more):\n\n"
            "Trying things:\n"
            "  answer-no    Say no without a word.\n"
            "  break-down   Raise what nobody expected.\n"
            "  hold         Acquire, wait for a signal, and release.\n"
            "  measure      Print what was given.\n"
            "  refuse       Say no.\n"
            "  talk         Say much.\n"
            "  visit        Go there.\n\n"
        )


def test_reader_that_leaves_is_no_bug(repository: Path) -> None:
    with subprocess.Popen(words("talk"), cwd=repository, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "word\n"
        process.stdout.close()
        assert (process.stderr.read(), process.wait(20)) == ("", 128 + signal.SIGPIPE)


def test_bare_inv_prints_the_next_step_too() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("inv"), "migrate-rehearse", "--project", "."],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("--project needs data")
    assert "Add --dump FILE" in done.stderr
