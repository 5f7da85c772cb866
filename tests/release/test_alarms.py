"""The alarms that would stop a deployment, as CloudWatch tells of them."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.release import alarms
from tests.release import scene
from tests.release.scene import ERRORS, SLOW, Played

BOTH = (SLOW, ERRORS)


@pytest.mark.parametrize(
    ("answer", "active"),
    [
        (scene.alarms(), []),
        (scene.alarms(errors="12 is more than 5."), [f"alarm {ERRORS} is in ALARM: 12 is more than 5"]),
        (
            scene.alarms("CompositeAlarms", slow="", errors="One.\nTwo."),
            [f"alarm {SLOW} is in ALARM: no reason was given", f"alarm {ERRORS} is in ALARM: One"],
        ),
    ],
)
def test_what_is_in_alarm(answer: dict[str, Any], active: list[str]) -> None:
    assert alarms.look(Played(describe_alarms=answer), BOTH)[0] == active


def test_composite_alarms_are_asked_for_too() -> None:
    """CloudWatch leaves them out where nobody asks."""
    guard = Played(describe_alarms=scene.alarms())
    assert alarms.look(guard, BOTH) == ([], "2 of the deployment group, none in ALARM")
    assert dict(guard.calls)["describe_alarms"] == {
        "AlarmNames": [SLOW, ERRORS],
        "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
    }


def test_those_that_are_not_told_of_are_named() -> None:
    seen = f"0 of the deployment group, none in ALARM; CloudWatch does not tell of {SLOW}, {ERRORS}"
    assert alarms.look(Played(describe_alarms={}), BOTH) == ([], seen)


def test_group_without_alarms_asks_nobody() -> None:
    assert alarms.look(Played(), ()) == ([], "none stops a deployment")
