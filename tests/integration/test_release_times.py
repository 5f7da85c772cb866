"""How long a release takes, as `deploy` shows it before it asks: by what AWS has."""

from __future__ import annotations

import pytest

from tests.integration.release_stage import DIGEST, Stage, checkout, cloud, moto, stage

pytestmark = pytest.mark.full

__all__ = ["checkout", "cloud", "moto", "stage"]


def shown(stage: Stage) -> list[str]:
    """The lines below the numbered steps of the preview."""
    stage.rehearse()
    said = stage.staging("deploy", "--image", DIGEST, "--dry-run")
    assert said.code == 0, said.error
    return [line.strip() for line in said.out.partition("\n  5 bake: ")[2].splitlines()[1:]]


def test_defaults_of_aws_are_slow(stage: Stage) -> None:
    """As moto makes a target group of which nothing is said."""
    assert shown(stage) == [
        "how long it takes, by what is set:",
        "40 s  a task starts (assumed)",
        "150 s  green is healthy (5 checks, 30 s apart)",
        "10 s  the hook asks green (assumed)",
        "15 s  from step to step (assumed)",
        "215 s  until green has traffic (and then)",
        "300 s  bake (blue stays)",
        "300 s  blue is let go (then at most 45 s for what it still answers)",
    ]


def test_slower_of_two_target_groups_counts(stage: Stage) -> None:
    blue, green = stage.groups["blue"], stage.groups["green"]
    elbv2 = stage.client("elbv2")
    elbv2.modify_target_group(TargetGroupArn=blue, HealthCheckIntervalSeconds=10, HealthyThresholdCount=2)
    elbv2.modify_target_group(TargetGroupArn=green, HealthCheckIntervalSeconds=10, HealthyThresholdCount=3)
    for group, seconds in ((blue, "30"), (green, "20")):
        attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": seconds}]
        elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=attributes)
    said = shown(stage)
    assert "30 s  green is healthy (3 checks, 10 s apart)" in said
    assert "95 s  until green has traffic (and then)" in said
    assert "30 s  blue is let go (then at most 45 s for what it still answers)" in said


@pytest.mark.parametrize(
    ("configuration", "seconds"),
    [
        ("CodeDeployDefault.ECSCanary10Percent15Minutes", 900),
        ("CodeDeployDefault.ECSLinear10PercentEvery1Minutes", 540),
        ("CodeDeployDefault.ECSLinear10PercentEvery3Minutes", 1620),
    ],
)
def test_traffic_that_moves_bit_by_bit(stage: Stage, configuration: str, seconds: int) -> None:
    stage.deployments.group["deploymentConfigName"] = configuration
    assert f"{seconds} s  the rest of the traffic (as the deployment's configuration says)" in shown(stage)


def test_deployment_that_waits_for_somebody(stage: Stage) -> None:
    stage.deployments.group["blueGreenDeploymentConfiguration"]["deploymentReadyOption"] = {
        "actionOnTimeout": "STOP_DEPLOYMENT",
        "waitTimeInMinutes": 60,
    }
    said = shown(stage)
    assert "3600 s  somebody says go on (at most)" in said
    assert "3815 s  until green has traffic (and then)" in said


def test_what_aws_does_not_tell_stops_nobody(stage: Stage) -> None:
    stage.cloud.refuse("DescribeTargetGroupAttributes", "AccessDenied")
    assert shown(stage) == [
        "how long it takes is not known: AWS does not let this identity do DescribeTargetGroupAttributes."
    ]
