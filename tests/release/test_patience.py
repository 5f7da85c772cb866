"""Leaving what goes on in AWS, and waiting out a bad moment of it."""

from __future__ import annotations

import pytest

from greenroom.errors import GreenroomError, Terminated
from greenroom.release.patience import left_alone, patient
from tests.release import scene


def raising(error: BaseException) -> None:
    raise error


def leaving(error: BaseException) -> None:
    with left_alone() as left:
        left.behind("Deployment d-1", "See it: ./inv status")
        raise error


@pytest.mark.parametrize("error", [scene.THROTTLED, scene.BROKEN])
def test_a_bad_moment_is_no_answer(error: Exception) -> None:
    assert patient(lambda: raising(error)) is None


@pytest.mark.parametrize("error", [scene.EXPIRED, scene.DENIED, GreenroomError("no")])
def test_what_will_not_pass_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        patient(lambda: raising(error))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Terminated(), scene.EXPIRED, RuntimeError()])
def test_who_leaves_is_told_what_goes_on(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(type(error)):
        leaving(error)
    assert capsys.readouterr().err == "Deployment d-1 goes on without being watched.\n  See it: ./inv status\n"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), scene.EXPIRED])
def test_nothing_is_said_before_anything_goes_on(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(type(error)), left_alone():
        raise error
    assert capsys.readouterr().err == ""


def test_an_error_of_ours_says_itself_how_things_stand(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(GreenroomError):
        leaving(GreenroomError("it is not over after 60 min", "It goes on."))
    assert capsys.readouterr().err == ""
