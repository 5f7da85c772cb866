"""A release without AWS: a guard that answers from a table, each question and answer held against botocore's models."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore import xform_name

from greenroom import config as configuration
from greenroom.aws import AwsError, reads
from greenroom.config import Config, Environment
from greenroom.guard import Guard
from greenroom.rehearsal.document import Drill, Image, Rehearsal, Release, Source
from greenroom.release import place
from greenroom.release.deployer import Past, Progress, Side, Wiring
from greenroom.release.files import Files
from greenroom.release.gate import Gate
from greenroom.release.place import Place, Service, TaskSet
from greenroom.release.rehearsals import Stored, problem
from tests.aws_models import conform, conform_request, operation_model
from tests.rehearsal import examples

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT, REGION, NAME = "123456789012", "eu-central-1", "ledger-staging"
DIGEST, PLAN = "sha256:" + "a1" * 32, "c3" * 32
DEFINITION = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{NAME}"
GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup"
LISTENER = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/{NAME}/0/1"
SLOW, ERRORS = f"{NAME}-slow", f"{NAME}-errors"  # alarms
TRIED = Release(name="v1", digest=DIGEST)  # by the drill: every task definition here has this image
TASK = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{NAME}/0123456789abcdef"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)

Answer = dict[str, Any] | BaseException | Callable[..., dict[str, Any]]


def error(why: str, reason: str, sentence: str = "AWS said no.") -> AwsError:
    return AwsError(why, reason, sentence, "Try again.")  # type: ignore[arg-type]


THROTTLED = error("throttled", "ThrottlingException", "AWS answers, several times over, that it is too much.")
BROKEN = error("unreachable", "EndpointConnectionError")
EXPIRED = error("expired", "ExpiredTokenException", "the AWS credentials have expired.")
DENIED = error("denied", "AccessDeniedException", "AWS does not let this identity do that.")
NOT_FOUND = error("not found", "ResourceNotFoundException")


class Played(Guard):
    """Answers each operation in turn; the last answer stays. What nobody has given an answer for fails the test."""

    def __init__(self, **answers: Answer | list[Answer]) -> None:
        super().__init__(environment())
        self._answers = {name: list(given) if isinstance(given, list) else [given] for name, given in answers.items()}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        conform_request(service, operation, arguments)
        self.calls.append((operation, arguments))
        answers = self._answers[operation]
        given = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(given, BaseException):
            raise given
        return conform(operation, given(**arguments) if callable(given) else given, service)

    def body(self, service: str, operation: str, **arguments: Any) -> bytes:
        conform_request(service, operation, arguments)
        self.calls.append((operation, arguments))
        given = self._answers[operation][0]
        if isinstance(given, BaseException):
            raise given
        assert callable(given)
        return bytes(given(**arguments)["Body"])

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> list[Any]:
        return list(self.call(service, operation, **arguments).get(key) or ())

    @property
    def asked(self) -> list[str]:
        return [operation for operation, _ in self.calls]

    @property
    def writes(self) -> list[str]:
        names = {"put_object": "s3", "create_deployment": "codedeploy", "stop_deployment": "codedeploy"}
        services = [(names.get(operation, "ecs"), operation) for operation in self.asked]
        known = [(s, o) for s, o in services if any(o == xform_name(n) for n in _operations(s))]
        return [operation for service, operation in known if not reads(operation_model(service, operation).name)]


def _operations(service: str) -> Iterator[str]:
    from tests.aws_models import service_model

    yield from service_model(service).operation_names


def environment(**facts: Any) -> Environment:
    return Environment.model_validate(
        {"name": "staging", "ssm_path": "/ledger/staging", "region": REGION, "account": ACCOUNT, **facts}
    )


def config(root: Path = ROOT) -> Config:
    return configuration.parse({"image": {"name": "ledger"}}, root)


def where(**facts: Any) -> Place:
    return place.place(config(), environment(**facts))


def task_set(**facts: Any) -> TaskSet:
    made = TaskSet("ecs-svc/1", "PRIMARY", f"{DEFINITION}:1", f"{GROUP}/{NAME}-blue/0", 2, 2, 0)
    return replace(made, **facts)


def service(**facts: Any) -> Service:
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}
    made = Service("ACTIVE", "CODE_DEPLOY", None, network, None, (task_set(),), (("app", 8000),), True)
    return replace(made, **facts)


def files(**changes: Any) -> Files:
    """Of a task definition that holds what these tests look at."""
    definition = {
        "family": NAME,
        "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-task",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-execution",
        "containerDefinitions": [{"name": "app", "image": "<IMAGE1_NAME>", "portMappings": [{"containerPort": 8000}]}],
        **changes,
    }
    return Files(json.dumps({name: value for name, value in definition.items() if value is not None}), APPSPEC)


APPSPEC = """version: 0.0
Resources:
  - Other: {}
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: <TASK_DEFINITION>
        LoadBalancerInfo: {ContainerName: app, ContainerPort: 8000}
"""


def rehearsal(change: Callable[[Rehearsal], object] = lambda _: None) -> Rehearsal:
    """One that passed, in the image, on data that are not the demo's."""
    made = examples.passed()
    made.image = Image(name="ledger", digest=DIGEST, id=DIGEST)
    made.plan.fingerprint = PLAN
    made.source = Source(kind="target", description="ledger")
    made.drills = [Drill(name="old-release", status="passed", reason="v1 reads and writes 8 models", release=TRIED)]
    change(made)
    return made


def stored(change: Callable[[Rehearsal], object] = lambda _: None, *, age: int = 0) -> Stored:
    made = rehearsal(change)
    return Stored(PLAN, NOW - timedelta(minutes=age), made, problem(made, DIGEST, PLAN))


def gate(*documents: Stored, unrehearsed: str | None = None) -> Gate:
    return Gate(where(), DIGEST, documents, unrehearsed)


def alarms(kind: str = "MetricAlarms", **active: str) -> dict[str, Any]:
    """What DescribeAlarms says of both; those of these last words are in ALARM, for a reason."""
    return {
        kind: [
            {"AlarmName": name, "StateValue": "ALARM", "StateReason": active[word]}
            if (word := name.rpartition("-")[2]) in active
            else {"AlarmName": name, "StateValue": "INSUFFICIENT_DATA", "StateReason": "no data"}
            for name in (SLOW, ERRORS)
        ]
    }


def described(**facts: Any) -> dict[str, Any]:
    """What DescribeTaskDefinition says of revision 1."""
    definition = {
        "taskDefinitionArn": f"{DEFINITION}:1",
        "family": NAME,
        "revision": 1,
        "status": "ACTIVE",
        "containerDefinitions": [
            {
                "name": "app",
                "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ledger@{DIGEST}",
                "readonlyRootFilesystem": True,
                "portMappings": [{"containerPort": 8000}],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {"awslogs-group": f"/ecs/{NAME}", "awslogs-stream-prefix": "app"},
                },
            }
        ],
        **facts,
    }
    return {"taskDefinition": definition}


def tasks(status: str, exit_code: int | None = None, **facts: Any) -> dict[str, Any]:
    """What DescribeTasks says of the one-off task."""
    container: dict[str, Any] = {"name": "app", **({} if exit_code is None else {"exitCode": exit_code})}
    return {"tasks": [{"taskArn": TASK, "lastStatus": status, "containers": [container], **facts}]}


def events(*lines: str, token: str) -> dict[str, Any]:
    """What GetLogEvents says."""
    return {"events": [{"timestamp": 1, "message": line} for line in lines], "nextForwardToken": token}


@dataclass
class Deployer:
    """A Deployer that says what it is told to say."""

    wired: Wiring = field(
        default_factory=lambda: Wiring(
            f"{NAME}/{NAME}", LISTENER, (f"{NAME}-blue", f"{NAME}-green"), None, 5, True, True
        )
    )
    running: str | None = None
    past: list[Past] = field(default_factory=list)
    moments: list[Progress | BaseException] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    started: list[tuple[str, str, str]] = field(default_factory=list)
    past_alarms: list[bool] = field(default_factory=list)

    def wiring(self) -> Wiring:
        return self.wired

    def start(self, task_definition: str, appspec: str, description: str, *, past_alarms: bool = False) -> str:
        self.past_alarms.append(past_alarms)
        self.started.append((task_definition, appspec, description))
        return "d-1"

    def progress(self, deployment: str) -> Progress:
        found = self.moments.pop(0) if len(self.moments) > 1 else self.moments[0]
        if isinstance(found, BaseException):
            raise found
        return replace(found, id=found.id or deployment)

    def under_way(self) -> str | None:
        return self.running

    def newest(self) -> str | None:
        return self.running

    def history(self) -> list[Past]:
        return self.past

    def stop(self, deployment: str) -> None:
        self.stopped.append(deployment)


def sides(green: float) -> tuple[Side, Side]:
    return Side("blue", 100 - green, 2, 2, 0, None), Side("green", green, 2, 2, 0, None)
