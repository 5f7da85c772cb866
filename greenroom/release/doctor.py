"""The pre-flight: everything that would stop a release half way, asked before it begins. Only reads.

Each check is one line, and what to do where it says no. What this identity may not read is marked `?`: it stops nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from greenroom.aws import AwsError
from greenroom.config import Config
from greenroom.environment import parameters
from greenroom.environment.registry import Registry
from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.guard import Guard
from greenroom.release import alarms, roles
from greenroom.release.deployer import Deployer
from greenroom.release.files import Files
from greenroom.release.gate import Gate
from greenroom.release.place import Place, Service


@dataclass(frozen=True)
class Check:
    """One line. `fine` None: it could not be asked."""

    name: str
    fine: bool | None
    sentence: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """With its mark, and what to do."""
        mark = {True: "✓", False: "✗", None: "?"}[self.fine]
        hint = f"\n{'':17}{self.remedy}" if self.remedy and not self.fine else ""
        return f"{mark} {self.name:14} {self.sentence}{hint}"


@dataclass(frozen=True)
class Subject:
    """What is examined: an image, on its way to a place. `despite_alarm` is why somebody goes while an alarm is on."""

    config: Config
    registry: Registry
    where: Place
    guard: Guard
    deployer: Deployer
    files: Files
    digest: str
    service: Service
    gate: Gate
    despite_alarm: str | None = None

    @property
    def excused(self) -> set[str]:
        """The checks whose no somebody goes past, with a reason that goes on record."""
        reasons = {REHEARSAL: self.gate.unrehearsed, ALARMS: self.despite_alarm}
        return {name for name, reason in reasons.items() if reason is not None}


def examine(subject: Subject) -> Iterator[Check]:
    """Every check, in the order in which a release would meet them."""
    for name, check in CHECKS.items():
        try:
            wrong, remedy, fine = check(subject)
            yield Check(name, not wrong, wrong or fine, remedy)
        except AwsError as error:
            if error.why != "denied":
                yield Check(name, False, error.sentence, error.hint)
            else:
                yield Check(name, None, f"not asked: {error.sentence}", error.hint)
        except GreenroomError as error:
            yield Check(name, False, error.sentence, error.hint)


def unfit(checks: list[Check], excused: Collection[str] = ()) -> list[Check]:
    """Those that say no, but for the ones that are excused, by their names."""
    return [one for one in checks if one.fine is False and one.name not in excused]


def refuse_unfit(checks: list[Check], excused: Collection[str] = ()) -> None:
    """Raise GreenroomError (exit code 1) where a check said no."""
    if failed := unfit(checks, excused):
        first = failed[0]
        more = f" ({len(failed)} checks say no)" if len(failed) > 1 else ""
        raise GreenroomError(f"not released: {first.sentence}{more}", first.remedy, code=ANSWER_IS_NO)


Answer = tuple[str, str, str]  # what is wrong, what to do, and the sentence where nothing is


def _image(subject: Subject) -> Answer:
    where = subject.where
    name = f"{where.repository}@{subject.digest[:19]}"
    try:
        found = subject.guard.call(
            "ecr",
            "describe_images",
            registryId=where.environment.account,
            repositoryName=where.repository,
            imageIds=[{"imageDigest": subject.digest}],
        )["imageDetails"]
    except AwsError as error:
        if error.why != "not found":
            raise
        return f"ECR has no image {name}.", f"Push it: {where.inv('build --push')}", ""
    pushed = found[0].get("imagePushedAt")
    return "", "", f"{name}, pushed {pushed:%Y-%m-%d %H:%M}" if pushed else name


def _container(subject: Subject) -> Answer:
    """Container and port are the service's, and of the target groups behind it."""
    name, port = subject.files.container
    if (name, port) not in subject.service.containers:
        there = ", ".join(f"{one}:{number}" for one, number in subject.service.containers) or "none"
        return (
            f"the release's container is {name}:{port}, and the service has {there}.",
            f"Make {subject.config.image.appspec} and the service agree; a service's own is changed by making it anew.",
            "",
        )
    return "", "", f"container {name}, port {port}, as in the service"


def _target_groups(subject: Subject) -> Answer:
    """Fargate's tasks are targets by IP address; a port of the group itself is only a default."""
    names = list(subject.deployer.wiring().target_groups)
    if len(names) != 2:
        return (
            f"the deployment group has {len(names)} target groups, and blue/green needs two.",
            subject.where.inv("tf-apply"),
            "",
        )
    found = subject.guard.call("elbv2", "describe_target_groups", Names=names)["TargetGroups"]
    _, port = subject.files.container
    for group in found:
        if group.get("TargetType") != "ip":
            return (
                f"target group {group['TargetGroupName']} is of type {group.get('TargetType')}; Fargate needs ip.",
                subject.where.inv("tf-apply"),
                "",
            )
        if group.get("Port") != port:
            return (
                f"target group {group['TargetGroupName']} has port {group.get('Port')}, and the container {port}.",
                f"Make them agree in infra/terraform and ci/, then {subject.where.inv('tf-apply')}",
                "",
            )
    return "", "", f"{' and '.join(names)}, port {port}"


def _service(subject: Subject) -> Answer:
    service = subject.service
    if service.status != "ACTIVE":
        return f"the service is {service.status}.", f"Wait, or {subject.where.inv('tf-apply')}", ""
    if service.controller != "CODE_DEPLOY":
        return (
            f"the service's deployment controller is {service.controller}, not CODE_DEPLOY.",
            f"Make it anew: {subject.where.inv('tf-apply')}",
            "",
        )
    wanted = f"{subject.where.cluster}/{subject.where.service}"
    if subject.deployer.wiring().service != wanted:
        return (
            f"the deployment group deploys {subject.deployer.wiring().service}, not {wanted}.",
            subject.where.inv("tf-apply"),
            "",
        )
    if under_way := subject.deployer.under_way():
        return (
            f"deployment {under_way} is under way.",
            f"Wait ({subject.where.inv('status')}), or take it back ({subject.where.inv('rollback')})",
            "",
        )
    primary = service.primary
    running = f", {primary.running} of {primary.desired} tasks run" if primary else ""
    return "", "", f"{wanted} is active{running}"


def _listener(subject: Subject) -> Answer:
    """Else every deployment fails: Primary taskset target group must be behind listener."""
    listener, primary = subject.deployer.wiring().listener, subject.service.primary
    if listener is None:
        return "the deployment group has no production listener.", subject.where.inv("tf-apply"), ""
    if primary is None or primary.target_group is None:
        return (
            "the service has no primary task set behind a target group.",
            f"Wait until it is steady: {subject.where.inv('status')}",
            "",
        )
    found = subject.guard.call("elbv2", "describe_listeners", ListenerArns=[listener])["Listeners"]
    arns = [arn for one in found for arn in _forwarded(one.get("DefaultActions") or [])]
    if primary.target_group not in arns:  # a rule may lead there, as where the default redirects or refuses
        rules = subject.guard.call("elbv2", "describe_rules", ListenerArn=listener)["Rules"]
        arns = list(dict.fromkeys(arn for one in rules for arn in _forwarded(one.get("Actions") or [])))
    if primary.target_group not in arns:
        there = ", ".join(_name(arn) for arn in arns) or "nowhere"
        return (
            f"the production listener leads to {there}, and the service's primary task set is behind "
            f"{_name(primary.target_group)}.",
            "Point the listener at the latter (aws elbv2 modify-listener); Terraform must ignore its default_action.",
            "",
        )
    return "", "", f"leads to {_name(primary.target_group)}, the primary task set's"


def _roles(subject: Subject) -> Answer:
    if subject.files.execution_role is None:
        return (
            f"{subject.config.image.taskdef} names no executionRoleArn, and without one ECS cannot pull the image.",
            "Name it there: infra/terraform makes it.",
            "",
        )
    wrong, seen = roles.look(subject.guard, subject.files.roles, subject.deployer.wiring().role)
    return " ".join(wrong), f"Mend the role in infra/terraform, then {subject.where.inv('tf-apply')}", seen


def _alarms(subject: Subject) -> Answer:
    active, seen = alarms.look(subject.guard, subject.deployer.wiring().alarms)
    where = subject.where
    return (
        f"{'; '.join(active)}. CodeDeploy would stop the deployment, after the migration." if active else "",
        f"Wait until it is OK, or take back what set it off ({where.inv('rollback')}); or go all the same, on record: "
        f"{where.inv('deploy')} --image {subject.digest} --despite-alarm REASON",
        seen,
    )


def _parameters(subject: Subject) -> Answer:
    environment = subject.where.environment
    wrong = parameters.problems(subject.registry, parameters.stored(environment))
    return (
        "; ".join(line.rstrip(".") for line in wrong) + ("." if wrong else ""),
        f"./inv env-diff --environment {environment.name}, then ./inv env-push --environment {environment.name}",
        f"complete below {environment.ssm_path}",
    )


def _rehearsal(subject: Subject) -> Answer:
    found = subject.gate
    return ("" if found.passing else f"{found.sentence}.", found.remedy, found.sentence)


ALARMS, REHEARSAL = "alarms", "rehearsal"
CHECKS: dict[str, Callable[[Subject], Answer]] = {
    "image": _image,
    "roles": _roles,
    "service": _service,
    "container": _container,
    "target groups": _target_groups,
    "listener": _listener,
    ALARMS: _alarms,
    "parameters": _parameters,
    REHEARSAL: _rehearsal,
}


def _forwarded(actions: list[dict[str, object]]) -> Iterator[str]:
    for action in actions:
        if action.get("TargetGroupArn"):
            yield str(action["TargetGroupArn"])
        forward = action.get("ForwardConfig")
        groups = forward.get("TargetGroups") if isinstance(forward, dict) else None
        for group in groups or ():
            if group.get("Weight", 1):
                yield str(group["TargetGroupArn"])


def _name(target_group: str) -> str:
    """Of an ARN: arn:...:targetgroup/NAME/ID."""
    parts = target_group.split("/")
    return parts[1] if len(parts) > 1 else target_group
