"""A rollback by somebody who may not look everywhere: what only informs keeps nobody from going back."""

from __future__ import annotations

import pytest

from greenroom.aws import AwsError
from greenroom.release.schema import Schema
from tests.release import scene
from tests.release.scene import DEFINITION, NAME
from tests.release.test_rollback import documents, past, planned

UNSEEN = Schema(
    None,
    f"Whether {NAME}:1 can live on this schema is not known: what was registered after what runs is not told: "
    "AWS does not let this identity do that.",
)


@pytest.mark.parametrize(("status", "found"), [("passed", UNSEEN), ("failed", None), ("not run", None)])
def test_task_definitions_that_may_not_be_listed(status: str, found: Schema | None) -> None:
    """A pass is then no pass for what may have been migrated since; a no and an unknown stay what they are."""
    back = planned(past(2, 1), list_task_definitions=scene.DENIED, **documents(status))
    assert back.task_definition == f"{DEFINITION}:1"
    assert back.schema == (found or planned(past(2, 1), **documents(status)).schema)


def test_task_definitions_that_are_not_told_at_this_moment() -> None:
    with pytest.raises(AwsError) as refused:
        planned(past(2, 1), list_task_definitions=scene.THROTTLED, **documents("passed"))
    assert refused.value is scene.THROTTLED
