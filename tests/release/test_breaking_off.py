"""A deployment that is under way is broken off, and watched until the traffic is back."""

from __future__ import annotations

import pytest

from greenroom.errors import GreenroomError
from greenroom.release import rollback, watching
from greenroom.release.deployer import Progress
from greenroom.release.rollback import Back
from greenroom.release.schema import Schema
from tests.release import scene
from tests.release.scene import DEFINITION, Played


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(rollback, "TAKEN_BACK_SECONDS", 0.05)


def broken_off(*moments: Progress | BaseException) -> tuple[str, list[str], scene.Deployer]:
    deployer, said = scene.Deployer(moments=list(moments)), list[str]()
    guard = Played(get_caller_identity={"Arn": "arn:aws:iam::1:user/x"}, put_object={}, list_tasks={"taskArns": []})
    back = Back("d-1", None, f"{DEFINITION}:2", None, Schema(None, ""))
    done = rollback.carry_out(guard, scene.where(), deployer, scene.files(), back, said.append)
    return done, said, deployer


def test_broken_off_before_any_traffic_moved() -> None:
    done, said, deployer = broken_off(Progress("", "stopped", sides=scene.sides(0)))
    assert done == "deployment d-1 is broken off; the traffic is where it was."
    assert (deployer.stopped, said) == (["d-1"], ["breaking off d-1"])


def test_the_one_that_takes_it_back_may_begin_some_seconds_later() -> None:
    moved = Progress("", "stopped", sides=scene.sides(100))
    back = Progress("", "stopped", sides=scene.sides(100), rollback="d-2")
    done, said, _ = broken_off(moved, scene.THROTTLED, moved, back, Progress("d-2", "succeeded"))
    assert done == "deployment d-1 is broken off; the traffic is where it was."
    assert said[-1] == "taken back by d-2"


def test_traffic_that_nothing_takes_back_is_no_success() -> None:
    with pytest.raises(GreenroomError) as refused:
        broken_off(Progress("", "stopped", sides=scene.sides(50), reason="Stopped by a person (MANUAL_STOP)."))
    assert refused.value.code == 1
    assert refused.value.sentence.startswith("deployment d-1 stopped: Stopped by a person (MANUAL_STOP).")
    assert "traffic: blue 50 %, green 50 %" in refused.value.sentence


def test_the_one_that_takes_it_back_can_fail() -> None:
    stopped = Progress("", "stopped", sides=scene.sides(50), rollback="d-2")
    with pytest.raises(GreenroomError) as refused:
        broken_off(stopped, Progress("d-2", "failed", reason="no capacity (X)."))
    assert refused.value.sentence.startswith("deployment d-2 failed: no capacity (X).")
