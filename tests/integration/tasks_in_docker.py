"""ECS's one-off tasks, run for real: each is a container of Docker's engine, as its task definition says.

It is on the host's network, so that it reaches what a test has on loopback: SSM as moto plays it, and the database. Its
log goes where `awslogs` would bring it. Each answer is held against botocore's own model.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import boto3

from tests.aws_models import conform
from tests.integration.images import AS_DEPLOYED, docker
from tests.integration.moto_server import CREDENTIALS, Cloud

ACCOUNT, REGION = "123456789012", "eu-central-1"
ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"


@dataclass
class Task:
    """One that was begun; `told` lines of its log are in CloudWatch."""

    arn: str
    definition: dict[str, Any]
    container: str
    told: int = 0


@dataclass
class Tasks:
    """`registry` is where the name of ECR's registry leads to."""

    cloud: Cloud
    registry: str
    all: dict[str, Task] = field(default_factory=dict)

    def join(self) -> None:
        self.cloud.play("RunTask", lambda given, _moto: conform("RunTask", self._run(given), "ecs"))
        self.cloud.play("DescribeTasks", lambda given, _moto: conform("DescribeTasks", self._told(given), "ecs"))

    def end(self) -> None:
        """Whatever of them is left."""
        for one in self.all.values():
            docker("rm", "--force", "--volumes", one.container, check=False)

    def to_its_end(self, definition: str, *command: str) -> str:
        """Run a command in the first container of a task definition, as a person might; what it wrote."""
        begun = self._begin(definition, list(command))
        assert docker("wait", begun.container) == "0", docker("logs", begun.container)
        return docker("logs", begun.container)

    def _run(self, given: dict[str, Any]) -> dict[str, Any]:
        (override,) = given["overrides"]["containerOverrides"]
        begun = self._begin(given["taskDefinition"], override["command"])
        return {"tasks": [self._described(begun)], "failures": []}

    def _told(self, given: dict[str, Any]) -> dict[str, Any]:
        known = [self.all[arn] for arn in given["tasks"] if arn in self.all]
        return {"tasks": [self._described(one) for one in known], "failures": []}

    def _begin(self, definition: str, command: list[str]) -> Task:
        described = self._client("ecs").describe_task_definition(taskDefinition=definition)["taskDefinition"]
        (wanted,) = described["containerDefinitions"]
        assert wanted["readonlyRootFilesystem"], "as AS_DEPLOYED has it"
        given = {one["name"]: one["value"] for one in wanted["environment"]}
        given |= {**CREDENTIALS, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": self.cloud.url}  # its role
        variables = [word for name, value in given.items() for word in ("--env", f"{name}={value}")]
        image = wanted["image"].replace(ECR, self.registry)
        options = ("--network", "host", "--user", wanted["user"], *AS_DEPLOYED, *variables)
        made = docker("run", "--detach", *options, image, *command)
        arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/ledger-staging/{uuid4().hex}"
        self.all[arn] = Task(arn, described, made)
        return self.all[arn]

    def _described(self, one: Task) -> dict[str, Any]:
        (state,) = json.loads(docker("inspect", "--format", "[{{json .State}}]", one.container))
        self._log(one)
        over = state["Status"] == "exited"
        container = {"name": one.definition["containerDefinitions"][0]["name"]}
        return {
            "taskArn": one.arn,
            "taskDefinitionArn": one.definition["taskDefinitionArn"],
            "lastStatus": "STOPPED" if over else "RUNNING",
            "containers": [container | ({"exitCode": state["ExitCode"]} if over else {})],
            **({"stoppedReason": "Essential container in task exited"} if over else {}),
        }

    def _log(self, one: Task) -> None:
        """What it wrote since, as its log driver brings it."""
        (wanted,) = one.definition["containerDefinitions"]
        options, logs = wanted["logConfiguration"]["options"], self._client("logs")
        names = {
            "logGroupName": options["awslogs-group"],
            "logStreamName": f"{options['awslogs-stream-prefix']}/{wanted['name']}/{one.arn.rpartition('/')[2]}",
        }
        lines = [line for line in docker("logs", one.container).splitlines() if line]
        if one.told == 0 and lines:
            logs.create_log_stream(**names)
        events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines[one.told :]]
        if events:
            logs.put_log_events(**names, logEvents=events)
        one.told = len(lines)

    def _client(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION)
