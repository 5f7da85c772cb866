"""The environment `staging` as AWS has it: a task definition, target groups, a deployment group, a service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REGION, ACCOUNT, NAME = "eu-central-1", "123456789012", "ledger-staging"
ALARM = f"{NAME}-app-errors"


def definition(digest: str) -> dict[str, Any]:
    """Our template, filled in, with an image."""
    text = (ROOT / "ci" / "taskdef.json").read_text()
    for name, value in {
        "<ENVIRONMENT>": "staging",
        "<ACCOUNT>": ACCOUNT,
        "<REGION>": REGION,
        "<SSM_PARAMS_PATH>": "/ledger/staging",
        "<IMAGE1_NAME>": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ledger@{digest}",
    }.items():
        text = text.replace(name, value)
    found: dict[str, Any] = json.loads(text)
    found["containerDefinitions"][0]["memory"] = 1024  # as in the template of the checkout
    return found


def target_group(elbv2: Any, name: str, vpc: str) -> str:
    """Made; its ARN."""
    made = elbv2.create_target_group(Name=name, Protocol="HTTP", Port=8000, VpcId=vpc, TargetType="ip")
    return str(made["TargetGroups"][0]["TargetGroupArn"])


def deployment_group(listener: str) -> dict[str, Any]:
    """Blue and green behind one listener."""
    return {
        "applicationName": NAME,
        "deploymentGroupName": NAME,
        "computePlatform": "ECS",
        "serviceRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-codedeploy",
        "ecsServices": [{"serviceName": NAME, "clusterName": NAME}],
        "autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]},
        "alarmConfiguration": {"enabled": True, "alarms": [{"name": ALARM}]},
        "blueGreenDeploymentConfiguration": {
            "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 5}
        },
        "loadBalancerInfo": {
            "targetGroupPairInfoList": [
                {
                    "targetGroups": [{"name": f"{NAME}-blue"}, {"name": f"{NAME}-green"}],
                    "prodTrafficRoute": {"listenerArns": [listener]},
                }
            ]
        },
    }


def alarm(cloudwatch: Any) -> None:
    """Made, and in order; of the deployment group."""
    cloudwatch.put_metric_alarm(
        AlarmName=ALARM,
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=2,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue="OK", StateReason="in order")


def running_service(running: str, blue: str, network: dict[str, Any]) -> dict[str, Any]:
    """Two tasks of a definition on the blue side."""
    balancer = {"targetGroupArn": blue, "containerName": "app", "containerPort": 8000}
    primary = {
        "id": "ecs-svc/1",
        "status": "PRIMARY",
        "taskDefinition": running,
        "computedDesiredCount": 2,
        "runningCount": 2,
        "pendingCount": 0,
        "loadBalancers": [balancer],
        "networkConfiguration": network,
    }
    return {
        "serviceName": NAME,
        "status": "ACTIVE",
        "deploymentController": {"type": "CODE_DEPLOY"},
        "loadBalancers": [balancer],
        "networkConfiguration": network,
        "taskSets": [primary],
    }
