"""The way back from a release, in its middle and afterwards, and the status, which says where it stands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration import deployments as fake
from tests.integration.release_circumstances import further, released, under_way
from tests.integration.release_circumstances import revision as _definition
from tests.integration.release_environment import ACCOUNT, NAME, REGION
from tests.integration.release_stage import DIGEST, OTHER, Stage, checkout, cloud, moto, stage

pytestmark = pytest.mark.full

__all__ = ["checkout", "cloud", "moto", "stage"]


def test_rollback_in_the_middle_breaks_off_and_watches_the_way_back(stage: Stage) -> None:
    stage.rehearse()
    stage.deployments.add((fake.Moment("InProgress", 6, green=50.0),), _definition(stage, DIGEST))
    said = stage.staging("rollback", "--yes")
    assert said.code == 0, said.error
    assert stage.writes == ["PUT", "StopDeployment"]
    assert stage.cloud.called("StopDeployment")[0].parameters["autoRollbackEnabled"] is True
    assert "  break off deployment d-000000001: the traffic goes back to where it was\n" in said.out
    allowed = "The schema allows it: a rehearsal tried ledger-staging:1 on it: v1 reads and writes 8 models"
    assert f"  {allowed}\n" in said.out
    assert said.out.endswith(
        "taken back by d-000000002\ndeployment d-000000001 is broken off; the traffic is where it was.\n"
    )
    assert stage.objects("releases/")[0]["kind"] == "rollback"


def test_rollback_that_comes_too_late_says_so(stage: Stage) -> None:
    one = stage.deployments.add((fake.Moment("InProgress", 8, green=100.0),), _definition(stage, DIGEST))
    one.story = (*one.story, fake.Moment("Succeeded", 8, green=100.0))
    stage.cloud.play("StopDeployment", lambda _given, _moto: (_ for _ in ()).throw(fake.Refused(COMPLETED)))
    said = stage.staging("rollback", "--yes")
    assert said.code == 1
    assert "deployment d-000000001 was over before it could be broken off.\n" in said.error


COMPLETED = "DeploymentAlreadyCompletedException"


def test_rollback_afterwards_deploys_what_ran_before(stage: Stage) -> None:
    stage.rehearse()
    released(stage)
    said = stage.staging("rollback", "--yes")
    assert said.code == 0, said.error
    assert f"  deploy {NAME}:1 again, in place of {NAME}:2\n" in said.out
    assert stage.writes == ["PUT", "CreateDeployment", "PUT"]
    made = stage.cloud.called("CreateDeployment")[0].parameters
    assert f"task-definition/{NAME}:1" in made["revision"]["appSpecContent"]["content"]
    assert made["description"] == f"greenroom: rollback from {NAME}:2"
    assert said.out.endswith(f"{NAME}:1 bears the traffic again.\n")


def test_after_a_rollback_the_next_one_does_not_go_forward(stage: Stage) -> None:
    released(stage)
    stage.service["taskSets"][0]["taskDefinition"] = first = (
        stage.deployments.all["d-000000001"].appspec.split("TaskDefinition: ")[1].split("\n")[0]
    )
    assert first.endswith(":1")
    said = stage.staging("rollback", "--yes")
    assert (said.code, said.error.splitlines()[0]) == (1, f"no release before {NAME}:1 is known to have succeeded.")
    assert stage.writes == []


def test_rollback_is_refused_where_the_old_release_failed_on_the_schema(stage: Stage) -> None:
    def fail(made: Any) -> None:
        made.drills[0].status, made.drills[0].reason = "failed", "v1 cannot read ledger.Release"

    stage.rehearse(fail)
    released(stage)
    said = stage.staging("rollback", "--yes")
    assert said.code == 1
    assert said.error.splitlines()[0] == (
        "not rolled back: the schema does not allow it: ledger-staging:1 failed on it: v1 cannot read ledger.Release"
    )
    assert stage.writes == []
    assert stage.staging("rollback", "--yes", "--despite-schema").code == 0


def test_rollback_says_where_nobody_knows(stage: Stage) -> None:
    released(stage)
    said = stage.staging("rollback", "--dry-run")
    assert f"Whether {NAME}:1 can live on this schema is not known: no rehearsal tried it." in said.out


def test_status_tells_sides_and_the_newest_deployment(stage: Stage) -> None:
    stage.deployments.add((fake.Moment("InProgress", 6, green=10.0),), _definition(stage, OTHER))
    said = stage.staging("status")
    assert (said.code, said.error) == (0, "")
    assert f"  primary {NAME}:1: 2/2 running; targets: no targets\n" in said.out
    assert f"deployment d-000000001 to {NAME}:2, in progress\n" in said.out
    assert "  ▸ AllowTraffic\n" in said.out
    assert "  traffic: blue 90 %, green 10 %\n" in said.out
    assert stage.writes == []


def test_named_revision_goes_out_as_an_arn(stage: Stage) -> None:
    stage.service["taskSets"][0]["taskDefinition"] = further(stage)
    said = stage.staging("rollback", "--to", f"{NAME}:1", "--yes")
    assert said.code == 0, said.error
    made = stage.cloud.called("CreateDeployment")[0].parameters
    arn = f"TaskDefinition: arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{NAME}:1\n"
    assert arn in made["revision"]["appSpecContent"]["content"]


@pytest.mark.parametrize(
    ("to", "sentence"),
    [(f"{NAME}:99", f"ECS has no task definition {NAME}:99."), (f"{NAME}:1", f"{NAME}:1 is what runs.")],
)
def test_named_revision_that_cannot_be_gone_back_to(stage: Stage, to: str, sentence: str) -> None:
    said = stage.staging("rollback", "--to", to, "--yes")
    assert (said.code, said.error.splitlines()[0]) == (2, sentence)
    assert stage.writes == []


def test_status_and_rollback_read_every_page(stage: Stage) -> None:
    stage.deployments.page = 1
    for _ in range(3):
        stage.deployments.add(fake.SUCCESS, stage.service["taskSets"][0]["taskDefinition"], step=9)
    assert "deployment d-000000003 to " in stage.staging("status").out
    under_way(stage)
    assert "break off deployment d-000000004" in stage.staging("rollback", "--dry-run").out


def test_second_rollback_does_not_break_off_the_first(stage: Stage) -> None:
    first = stage.service["taskSets"][0]["taskDefinition"]
    released(stage)
    going = (fake.Moment("InProgress", 6, green=50.0),)
    stage.deployments.add(going, first, description=f"greenroom: rollback from {NAME}:2")
    said = stage.staging("rollback", "--yes")
    sentence = f"deployment d-000000003 is a rollback to {NAME}:1, and under way already."
    assert (said.code, said.error.splitlines()[0]) == (2, sentence)
    assert stage.writes == []
