"""Copies that commands make: scripts in front of a real PostgreSQL, released however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from greenroom.config import CommandTarget
from greenroom.errors import GreenroomError
from greenroom.postgres.engines import intents
from greenroom.postgres.engines.acquiring import standing
from greenroom.postgres.server import connect
from greenroom.secret import Secret
from tests.integration.copying_scripts import NAME, ROOT, Told, acquired, released, target
from tests.integration.shop import PLANTED, ROWS, Shop
from tests.integration.sources import source, state

__all__ = ["source", "state"]
COPYING = """
import sys
from greenroom.interrupts import raise_when_terminated
from greenroom.config import CommandTarget
from greenroom.console import Silent
from greenroom.postgres.engines.acquiring import engine_copy
from greenroom.postgres.lease import Lease
raise_when_terminated()
target = CommandTarget(kind="command", acquire=[sys.argv[1], "{name}"], release=[sys.argv[2], "{name}"])
terms = Lease.new(branch="fix_it", source="x", hours=1)
with engine_copy(target, sys.argv[3], terms, None, Silent()) as copy:
    pass
"""


def test_copy_is_read_by_its_url_and_released(source: Shop, tmp_path: Path) -> None:
    progress = Told()
    wanted = target(tmp_path, f'echo "making $1" >&2; echo "$@" > given; echo first; echo "{source.url()}"')
    with acquired(wanted, progress) as copy:
        with connect(copy.address) as connection:
            assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
        (remains,) = standing({})
        assert (remains.name, remains.kind, remains.state, remains.to_be_reaped) == (NAME, "command", "alive", False)
        assert released(tmp_path) == []
    name, branch, until = (tmp_path / "given").read_text().split()
    assert (name, branch, until) == (NAME, "fix_it", remains.lease.until if remains.lease else "")
    assert (copy.dropped, copy.name, copy.method, released(tmp_path)) == (True, NAME, "command", [NAME])
    assert copy.label == f"acquire at {source.address.server}"
    assert progress.said == [f"acquire makes {NAME}", f"making {NAME}", f"release ends {NAME}"]
    assert intents.noted() == [] and standing({}) == []


def test_url_without_a_password_gets_the_one_that_is_known(tmp_path: Path) -> None:
    wanted = target(tmp_path, "echo postgresql://app@db.example/shop")
    with acquired(wanted, password=Secret("kn0wn")) as copy:
        assert copy.address.password == Secret("kn0wn")
    with acquired(target(tmp_path, "echo postgres://app:0wn@db.example/shop"), password=Secret("kn0wn")) as copy:
        assert copy.address.password == Secret("0wn")


@pytest.mark.parametrize(
    "acquire",
    [
        "echo half; echo 'no room left' >&2; exit 3",
        "echo 'no room left' >&2; echo 'see http://x/?t=pl4nted' >&2; exit 3",
    ],
)
def test_failed_acquire_is_told_and_released(acquire: str, tmp_path: Path) -> None:
    with pytest.raises(GreenroomError) as refused, acquired(target(tmp_path, acquire)):
        pass
    assert str(refused.value) == (
        "acquire, which makes the copy, failed (3): no room left\n"
        "  docs/engines.md has worked examples for DBLab and Neon."
    )
    assert released(tmp_path) == [NAME] and intents.noted() == []


@pytest.mark.parametrize(
    "acquire", ["true", "echo postgresql://a:pl4nted@b/c; echo done", "echo mysql://a:pl4nted@b/c"]
)
def test_output_that_ends_in_no_url_is_told_without_quoting_it(acquire: str, tmp_path: Path) -> None:
    with pytest.raises(GreenroomError) as refused, acquired(target(tmp_path, acquire)):
        pass
    assert refused.value.sentence == (
        "the last line that acquire printed is no URL of a database, and so nobody knows where the copy is."
    )
    assert released(tmp_path) == [NAME]


def test_command_that_takes_too_long_is_ended_with_its_children_and_released(tmp_path: Path) -> None:
    wanted = target(tmp_path, "sleep 60 & echo $! > child; echo waiting >&2; wait", timeout_seconds=1)
    with pytest.raises(GreenroomError) as refused, acquired(wanted):
        pass
    assert refused.value.sentence == "acquire, which makes the copy, failed (not done after 1 s): waiting"
    assert released(tmp_path) == [NAME] and not running(int((tmp_path / "child").read_text()))


@pytest.mark.parametrize("other", ["acquire", "release"])
def test_missing_program_is_named_before_anything_is_run(other: str, tmp_path: Path) -> None:
    words = {"acquire": ["dblab-of-nobody"], "release": ["dblab-of-nobody"], other: ["true"]}
    wanted = CommandTarget(kind="command", acquire=words["acquire"], release=words["release"])
    with pytest.raises(GreenroomError) as refused, acquired(wanted):
        pass
    assert str(refused.value) == (
        f"dblab-of-nobody is not on this machine (looked for from {Path.cwd()}).\n"
        "  Correct acquire and release in the target's table."
    )
    assert intents.noted() == []


def test_release_that_fails_leaves_the_intent_for_a_later_drop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = target(
        tmp_path, "echo postgresql://a:pl4nted@b/c", 'echo "busy with pl4nted" >&2; test -e free && echo $1 >> released'
    )
    with acquired(wanted) as copy:
        pass
    said = (
        f"the copy {NAME} was left behind: the command that releases {NAME} failed (1): busy with *** "
        f"Remove it with: ./inv db-drop {NAME}"
    )
    assert (copy.dropped, copy.notes[-1], capsys.readouterr().err) == (False, said, f"{said}\n")
    (remains,) = standing({})
    with pytest.raises(GreenroomError) as refused:
        remains.drop()
    (noted,) = intents.noted()
    assert refused.value.hint == f"Is the copy gone for good? Then forget it: rm {noted.path}"
    (tmp_path / "free").touch()
    remains.drop()
    assert released(tmp_path) == [NAME] and standing({}) == []


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt()], ids=repr)
def test_copy_is_released_however_the_block_ends(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)), acquired(target(tmp_path, "echo postgresql://a@b/c")) as copy:
        raise error
    assert copy.dropped and released(tmp_path) == [NAME]


def test_kept_copy_stays_until_it_is_dropped(tmp_path: Path) -> None:
    with acquired(target(tmp_path, "echo postgresql://a@b/c"), keep=True) as copy:
        pass
    assert not copy.dropped and released(tmp_path) == []
    (remains,) = standing({})
    assert (remains.state, remains.to_be_reaped) == ("kept", False)
    remains.drop()
    assert released(tmp_path) == [NAME] and standing({}) == []


def test_copy_that_is_not_whole_yet_is_released_though_it_should_be_kept(tmp_path: Path) -> None:
    with acquired(target(tmp_path, "echo postgresql://a@b/c"), keep=True) as copy:
        copy.whole = False
    assert copy.dropped and released(tmp_path) == [NAME]


def test_acquire_that_fails_is_released_though_its_copy_should_be_kept(tmp_path: Path) -> None:
    with pytest.raises(GreenroomError), acquired(target(tmp_path, "exit 1"), keep=True):
        pass
    assert released(tmp_path) == [NAME]


def test_password_of_the_url_is_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    progress = Told()
    url = f"postgresql://a:{PLANTED}@b/c"
    acquire = (
        f'echo "its password is {PLANTED}" >&2; echo "{url}" >&2; echo \'{{"password": "{PLANTED}"}}\'; echo {url}'
    )
    with acquired(target(tmp_path, acquire), progress) as copy:
        (file,) = intents.directory().glob("*.json")
        assert file.stat().st_mode & 0o777 == 0o600
        said = capfd.readouterr()
        told = [repr(copy), *progress.said, file.read_text(), said.out, said.err, repr(standing({}))]
    assert not any(PLANTED in text for text in told)


def started(place: Path, wanted: CommandTarget) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", COPYING, wanted.acquire[0], wanted.release[0], NAME]
    return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def running(pid: int) -> bool:
    """Whether it lives; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full)])
def test_signal_in_acquire_ends_it_and_releases(number: signal.Signals, tmp_path: Path) -> None:
    wanted = target(tmp_path, "echo $$ > pid; sleep 60 & echo $! > child; wait")
    with started(tmp_path, wanted) as child:
        wait_until((tmp_path / "child").exists)
        child.send_signal(number)
        child.communicate(timeout=30)
    assert released(tmp_path) == [NAME] and intents.noted() == []
    assert not any(running(int((tmp_path / name).read_text())) for name in ("pid", "child"))


def test_killed_in_acquire_is_listed_and_released_when_its_command_has_ended(tmp_path: Path) -> None:
    """What `acquire` had started works on: it is left to finish what `release` shall end."""
    wanted = target(tmp_path, "(while ! test -e free; do sleep 0.05; done) & echo $! > child; wait")
    with started(tmp_path, wanted) as child:
        wait_until((tmp_path / "child").exists)
        child.kill()
    (remains,) = standing({})
    assert (remains.state, remains.to_be_reaped) == ("its command still runs", False)
    (tmp_path / "free").touch()
    wait_until(lambda: not running(int((tmp_path / "child").read_text())))
    (remains,) = standing({})
    assert (remains.state, remains.to_be_reaped) == ("creator died", True)
    remains.drop()
    assert released(tmp_path) == [NAME] and standing({}) == []


def test_damaged_intent_is_passed_over(tmp_path: Path) -> None:
    with acquired(target(tmp_path, "echo postgresql://a@b/c"), keep=True):
        pass
    for name, text in {"a": "{", "b": "[]", "c": "{}", "d": '{"lease": 1}'}.items():
        (intents.directory() / f"{name}.json").write_text(text)
    assert [remains.name for remains in standing({})] == [NAME]
