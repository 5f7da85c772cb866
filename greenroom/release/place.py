"""Where releases of an environment go: the names of its parts in AWS, and what is read of its service there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from greenroom.config import Config, Environment
from greenroom.errors import GreenroomError
from greenroom.guard import Guard


@dataclass(frozen=True)
class Place:
    """Names, as configured or by the convention IMAGE-ENVIRONMENT that the Terraform of this repository follows."""

    environment: Environment
    cluster: str
    service: str
    application: str
    deployment_group: str
    bucket: str
    repository: str

    @property
    def shown(self) -> str:
        """What is said before anything is done there."""
        where = self.environment
        return f"{where.name}: account {where.account}, {where.region}, service {self.cluster}/{self.service}"

    def inv(self, task: str) -> str:
        """How a task of this environment is typed."""
        return f"./inv {task} --environment {self.environment.name}"

    def image(self, digest: str) -> str:
        """One of the repository by its digest, as ECS pulls it."""
        where = self.environment
        domain = "amazonaws.com.cn" if where.region.startswith("cn-") else "amazonaws.com"
        return f"{where.account}.dkr.ecr.{where.region}.{domain}/{self.repository}@{digest}"


def place(config: Config, environment: Environment) -> Place:
    """The names of an environment's parts."""
    facts, base = environment.release, f"{config.image.name.rpartition('/')[2]}-{environment.name}"
    return Place(
        environment=environment,
        cluster=facts.cluster or base,
        service=facts.service or base,
        application=facts.application or base,
        deployment_group=facts.deployment_group or base,
        bucket=facts.bucket or f"{base}-rehearsals-{environment.account}",
        repository=config.image.stored_as,
    )


@dataclass(frozen=True)
class TaskSet:
    """One of the two sides that a service runs on."""

    id: str
    status: str
    task_definition: str
    target_group: str | None
    desired: int
    running: int
    pending: int


@dataclass(frozen=True)
class Service:
    """The service as ECS has it now. `network` is what a one-off task runs in."""

    status: str
    controller: str
    task_definition: str | None
    network: dict[str, Any]
    platform_version: str | None
    task_sets: tuple[TaskSet, ...]
    containers: tuple[tuple[str, int], ...]
    exec_enabled: bool

    @property
    def primary(self) -> TaskSet | None:
        """The side that bears the traffic."""
        return next((one for one in self.task_sets if one.status == "PRIMARY"), None)

    @property
    def running_now(self) -> str | None:
        """ARN of the task definition that bears the traffic."""
        return self.primary.task_definition if self.primary else self.task_definition


def service(guard: Guard, where: Place) -> Service:
    """Raises GreenroomError where there is none."""
    answer = guard.call("ecs", "describe_services", cluster=where.cluster, services=[where.service])
    found = next((one for one in answer["services"] if one.get("status") != "INACTIVE"), None)
    if found is None:
        raise GreenroomError(
            f"ECS has no service {where.service} in cluster {where.cluster}, {where.environment.region}.",
            f"Make it (./inv tf-apply --environment {where.environment.name}), or name another: service = in "
            f"[tool.greenroom.environments.{where.environment.name}.release].",
        )
    sets = tuple(_task_set(one) for one in found.get("taskSets") or ())
    balancers = found.get("loadBalancers") or _primary(found).get("loadBalancers") or ()
    return Service(
        status=str(found.get("status", "")),
        controller=str((found.get("deploymentController") or {}).get("type", "ECS")),
        task_definition=found.get("taskDefinition"),
        network=found.get("networkConfiguration") or (_primary(found).get("networkConfiguration") or {}),
        platform_version=found.get("platformVersion"),
        task_sets=sets,
        containers=tuple((one.get("containerName", ""), int(one.get("containerPort", 0))) for one in balancers),
        exec_enabled=bool(found.get("enableExecuteCommand")),
    )


def _primary(found: dict[str, Any]) -> dict[str, Any]:
    """With CodeDeploy as its controller, a service keeps these facts in its task sets."""
    return next((one for one in found.get("taskSets") or () if one.get("status") == "PRIMARY"), {})


def _task_set(found: dict[str, Any]) -> TaskSet:
    balancers = found.get("loadBalancers") or [{}]
    return TaskSet(
        id=str(found.get("id", "")),
        status=str(found.get("status", "")),
        task_definition=str(found.get("taskDefinition", "")),
        target_group=balancers[0].get("targetGroupArn"),
        desired=int(found.get("computedDesiredCount", 0)),
        running=int(found.get("runningCount", 0)),
        pending=int(found.get("pendingCount", 0)),
    )
