"""A rollback where something else runs beside the app, with an image of its own."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.release.rollback import Back
from tests.release import scene
from tests.release.test_rollback import defined, documents, past, planned

OTHER = "sha256:" + "f7" * 32
(APP,) = scene.described()["taskDefinition"]["containerDefinitions"]


def back(*containers: dict[str, Any]) -> Back:
    """From revision 2, whose image has a drill that failed; each revision has these containers."""

    def describe(taskDefinition: str) -> dict[str, Any]:
        return defined(int(taskDefinition.rpartition(":")[2]), containerDefinitions=list(containers))

    return planned(past(2, 1), describe_task_definition=describe, **documents("failed"))


@pytest.mark.parametrize("image", [f"public.ecr.aws/collector@{OTHER}", f"collector@{OTHER}", "collector:1"])
def test_drill_of_the_app_is_asked_for_also_where_a_sidecar_comes_first(image: str) -> None:
    beside = {"name": "collector", "image": image}
    for containers in ((beside, APP), (APP, beside)):
        found = back(*containers)
        assert (found.image, found.schema.allows) == (scene.DIGEST, False)


def test_image_of_another_registry_is_known_by_its_digest_where_there_is_no_other() -> None:
    found = back({**APP, "image": f"registry.example.com/ledger@{scene.DIGEST}"})
    assert (found.image, found.schema.allows) == (scene.DIGEST, False)
