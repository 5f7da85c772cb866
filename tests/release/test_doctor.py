"""The pre-flight: each check's sentence where all is well, where it is not, and where nobody may look."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from greenroom.errors import GreenroomError
from greenroom.release import doctor
from greenroom.release.doctor import CHECKS, Check, Subject
from tests.release import scene
from tests.release.scene import ACCOUNT, DENIED, ERRORS, GROUP, NAME, NOW, SLOW, THROTTLED, Played, alarms, error

BLUE, GREEN = f"{GROUP}/{NAME}-blue/0", f"{GROUP}/{NAME}-green/0"
TRUSTED = {
    "Role": {
        **{"Path": "/", "RoleName": "x", "RoleId": "x", "Arn": "x", "CreateDate": NOW},
        "AssumeRolePolicyDocument": {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": ["ecs-tasks.amazonaws.com", "codedeploy.amazonaws.com"]},
                }
            ]
        },
    }
}


def group(name: str = f"{NAME}-blue", **facts: Any) -> dict[str, Any]:
    return {"TargetGroupName": name, "TargetType": "ip", "Port": 8000, **facts}


def leading(*groups: str) -> dict[str, Any]:
    return {"Listeners": [{"DefaultActions": [{"Type": "forward", "TargetGroupArn": arn} for arn in groups]}]}


def evaluated(decision: str = "allowed") -> dict[str, Any]:
    roles = [f"arn:aws:iam::{ACCOUNT}:role/{NAME}-{one}" for one in ("task", "execution")]
    return {
        "EvaluationResults": [
            {"EvalActionName": "iam:PassRole", "EvalResourceName": role, "EvalDecision": decision} for role in roles
        ]
    }


def subject(**changes: Any) -> Subject:
    answers: dict[str, Any] = {
        "describe_images": {"imageDetails": [{"imagePushedAt": NOW}]},
        "describe_target_groups": {"TargetGroups": [group(), group(f"{NAME}-green")]},
        "describe_listeners": leading(BLUE),
        "describe_rules": {"Rules": []},
        "describe_alarms": alarms(),
        "get_role": TRUSTED,
        "get_caller_identity": {"Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/me"},
        "simulate_principal_policy": evaluated(),
        **{name: changes.pop(name) for name in list(changes) if name not in Subject.__dataclass_fields__},
    }
    made = Subject(
        config=scene.config(),
        registry=None,  # type: ignore[arg-type]
        where=scene.where(),
        guard=Played(**answers),
        deployer=wired(),
        files=scene.files(),
        digest=scene.DIGEST,
        service=scene.service(),
        gate=scene.gate(scene.stored()),
    )
    return replace(made, **changes)


@pytest.fixture(autouse=True)
def stored_parameters(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the check of parameters finds: `wrong`, or an error to raise."""
    found: dict[str, Any] = {"wrong": [], "error": None}

    def stored(_environment: Any) -> dict[str, Any]:
        if found["error"]:
            raise found["error"]
        return {}

    monkeypatch.setattr(doctor.parameters, "stored", stored)
    monkeypatch.setattr(doctor.parameters, "problems", lambda _registry, _stored: found["wrong"])
    return found


def check(name: str, made: Subject) -> Check:
    """One of them, alone."""
    return next(one for one in doctor.examine(made) if one.name == name)


FINE = {
    "image": "ledger@sha256:a1a1a1a1a1a1, pushed 2026-11-27 12:00",
    "roles": "2 there and trusted; ours to pass",
    "service": f"{NAME}/{NAME} is active, 2 of 2 tasks run",
    "container": "container app, port 8000, as in the service",
    "target groups": f"{NAME}-blue and {NAME}-green, port 8000",
    "listener": f"leads to {NAME}-blue, the primary task set's",
    "alarms": "2 of the deployment group, none in ALARM",
    "parameters": "complete below /ledger/staging",
}


def test_every_check_has_a_test() -> None:
    assert {*FINE, "rehearsal"} == set(CHECKS) == {*(name for name, *_ in WRONG), "parameters"}


@pytest.mark.parametrize("name", FINE)
def test_fine(name: str) -> None:
    found = check(name, subject())
    assert (found.fine, found.sentence) == (True, FINE[name])
    assert found.line == f"✓ {name:14} {FINE[name]}"


def test_fine_rehearsal() -> None:
    found = check("rehearsal", subject())
    assert found.fine is True
    assert found.sentence.startswith("pass, ") and "plan c3c3c3c3c3c3: ledger.0009_release_note" in found.sentence


def wired(**facts: Any) -> scene.Deployer:
    made = scene.Deployer()
    made.wired = replace(made.wired, **{"alarms": (SLOW, ERRORS), **facts})
    return made


def other_trust(service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}}
    return {"Role": {**TRUSTED["Role"], "AssumeRolePolicyDocument": {"Statement": statement}}}


WRONG: list[tuple[str, dict[str, Any], str]] = [
    (
        "image",
        {"describe_images": error("not found", "ImageNotFoundException")},
        "ECR has no image ledger@sha256:a1a1a1a1a1a1.",
    ),
    (
        "roles",
        {"get_role": error("not found", "NoSuchEntity")},
        f"there is no role {NAME}-task. there is no role {NAME}-execution.",
    ),
    (
        "roles",
        {"get_role": other_trust("ec2.amazonaws.com")},
        f"the role {NAME}-task is not trusted by ecs-tasks.amazonaws.com. "
        f"the role {NAME}-execution is not trusted by ecs-tasks.amazonaws.com.",
    ),
    (
        "roles",
        {"simulate_principal_policy": evaluated("implicitDeny")},
        f"deployer may not pass the role {NAME}-task. deployer may not pass the role {NAME}-execution.",
    ),
    (
        "roles",
        {"files": scene.files(executionRoleArn=None)},
        "ci/taskdef.json names no executionRoleArn, and without one ECS cannot pull the image.",
    ),
    ("service", {"service": scene.service(status="DRAINING")}, "the service is DRAINING."),
    (
        "service",
        {"service": scene.service(controller="ECS")},
        "the service's deployment controller is ECS, not CODE_DEPLOY.",
    ),
    (
        "service",
        {"deployer": wired(service="other/other")},
        f"the deployment group deploys other/other, not {NAME}/{NAME}.",
    ),
    ("service", {"deployer": scene.Deployer(running="d-7")}, "deployment d-7 is under way."),
    (
        "container",
        {"service": scene.service(containers=(("web", 80),))},
        "the release's container is app:8000, and the service has web:80.",
    ),
    (
        "container",
        {"service": scene.service(containers=())},
        "the release's container is app:8000, and the service has none.",
    ),
    (
        "target groups",
        {"deployer": wired(target_groups=("one",))},
        "the deployment group has 1 target groups, and blue/green needs two.",
    ),
    (
        "target groups",
        {"describe_target_groups": {"TargetGroups": [group(TargetType="instance")]}},
        f"target group {NAME}-blue is of type instance; Fargate needs ip.",
    ),
    (
        "target groups",
        {"describe_target_groups": {"TargetGroups": [group(Port=80)]}},
        f"target group {NAME}-blue has port 80, and the container 8000.",
    ),
    ("listener", {"deployer": wired(listener=None)}, "the deployment group has no production listener."),
    (
        "listener",
        {"service": scene.service(task_sets=())},
        "the service has no primary task set behind a target group.",
    ),
    (
        "listener",
        {
            "describe_listeners": leading(GREEN),
            "describe_rules": {"Rules": [{"Actions": leading(GREEN)["Listeners"][0]["DefaultActions"]}]},
        },
        f"the production listener leads to {NAME}-green, and the service's primary task set is behind {NAME}-blue.",
    ),
    (
        "listener",
        {"describe_listeners": {"Listeners": [{"DefaultActions": [{"Type": "redirect"}]}]}},
        f"the production listener leads to nowhere, and the service's primary task set is behind {NAME}-blue.",
    ),
    (
        "alarms",
        {"describe_alarms": alarms(errors="Threshold Crossed: 12 is more than 5.")},
        f"alarm {ERRORS} is in ALARM: Threshold Crossed: 12 is more than 5. "
        "CodeDeploy would stop the deployment, after the migration.",
    ),
    ("rehearsal", {"gate": scene.gate()}, "no rehearsal of sha256:a1a1a1a1a1a1 is known."),
    (
        "rehearsal",
        {"gate": scene.gate(scene.stored(lambda made: setattr(made, "verdict", "fail")))},
        "the rehearsal of this image, plan c3c3c3c3c3c3, failed: no reason was given.",
    ),
]


@pytest.mark.parametrize(("name", "changes", "sentence"), WRONG)
def test_wrong(name: str, changes: dict[str, Any], sentence: str) -> None:
    found = check(name, subject(**changes))
    assert (found.fine, found.sentence) == (False, sentence)
    assert found.remedy, "what to do"
    with pytest.raises(GreenroomError) as refused:
        doctor.refuse_unfit([found])
    assert (refused.value.code, refused.value.sentence) == (1, f"not released: {sentence}")


def test_wrong_parameters(stored_parameters: dict[str, Any]) -> None:
    stored_parameters["wrong"] = ["DJANGO_DB_HOST is required and not there.", "X is unknown"]
    found = check("parameters", subject())
    assert (found.fine, found.sentence) == (False, "DJANGO_DB_HOST is required and not there; X is unknown.")
    assert found.remedy == "./inv env-diff --environment staging, then ./inv env-push --environment staging"


def test_a_rule_of_the_listener_may_lead_there() -> None:
    """Where the default action redirects, or refuses what comes past the CDN."""
    weighted = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": BLUE, "Weight": 100}]}}
    made = subject(
        describe_listeners={"Listeners": [{"DefaultActions": [{"Type": "fixed-response"}]}]},
        describe_rules={"Rules": [{"Actions": [weighted]}]},
    )
    assert check("listener", made).sentence == FINE["listener"]


def test_a_group_without_weight_gets_no_traffic() -> None:
    forward = {"TargetGroups": [{"TargetGroupArn": BLUE, "Weight": 0}, {"TargetGroupArn": GREEN, "Weight": 1}]}
    actions = [{"Type": "forward", "ForwardConfig": forward}]
    rules = {"Rules": [{"IsDefault": True, "Actions": actions}]}
    made = subject(describe_listeners={"Listeners": [{"DefaultActions": actions}]}, describe_rules=rules)
    found = check("listener", made)
    assert found.fine is False
    assert found.sentence.startswith(f"the production listener leads to {NAME}-green, and ")


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("image", "describe_images"),
        ("roles", "get_role"),
        ("target groups", "describe_target_groups"),
        ("listener", "describe_listeners"),
        ("alarms", "describe_alarms"),
    ],
)
def test_what_may_not_be_read_stops_nobody(name: str, operation: str) -> None:
    found = check(name, subject(**{operation: DENIED}))
    assert (found.fine, found.sentence) == (None, f"not asked: {DENIED.sentence}")
    assert found.line.startswith(f"? {name}")
    doctor.refuse_unfit([found])


def test_what_cannot_be_read_now_stops_everybody() -> None:
    found = check("image", subject(describe_images=THROTTLED))
    assert (found.fine, found.sentence) == (False, THROTTLED.sentence)


def test_whether_roles_can_be_passed_is_left_open_where_iam_does_not_tell() -> None:
    found = check("roles", subject(simulate_principal_policy=DENIED))
    assert (found.fine, found.sentence) == (True, "2 there and trusted; whether we may pass them, IAM does not tell")


def test_the_root_user_may_pass_all() -> None:
    made = subject(get_caller_identity={"Arn": f"arn:aws:iam::{ACCOUNT}:root"}, simulate_principal_policy=DENIED)
    assert check("roles", made).sentence == "2 there and trusted; ours to pass"


def test_the_role_of_the_deployer_is_looked_at_too() -> None:
    made = subject(deployer=wired(role=f"arn:aws:iam::{ACCOUNT}:role/{NAME}-codedeploy"))
    assert check("roles", made).sentence == "3 there and trusted; ours to pass"


def test_next_step_of_an_alarm() -> None:
    remedy = check("alarms", subject(describe_alarms=alarms(slow="It is slow."))).remedy
    assert remedy == (
        "Wait until it is OK, or take back what set it off (./inv rollback --environment staging); or go all the same, "
        f"on record: ./inv deploy --environment staging --image {scene.DIGEST} --despite-alarm REASON"
    )


def test_a_reason_excuses_its_own_check_alone() -> None:
    alarm, rehearsal = Check("alarms", False, "on.", "Wait."), Check("rehearsal", False, "none.", "Rehearse it.")
    both = [alarm, rehearsal]
    assert doctor.unfit(both, subject().excused) == both
    assert doctor.unfit(both, subject(despite_alarm="this mends it").excused) == [rehearsal]
    assert doctor.unfit(both, subject(gate=scene.gate(unrehearsed="hotfix")).excused) == [alarm]


def test_only_the_rehearsal_s_no_is_excused_by_a_reason() -> None:
    rehearsal = Check("rehearsal", False, "no rehearsal of it is known.", "Rehearse it.")
    image = Check("image", False, "ECR has no image x.", "Push it.")
    doctor.refuse_unfit([rehearsal], {"rehearsal"})
    assert doctor.unfit([rehearsal, image], {"rehearsal"}) == [image]
    with pytest.raises(GreenroomError) as refused:
        doctor.refuse_unfit([rehearsal, image])
    assert str(refused.value) == "not released: no rehearsal of it is known. (2 checks say no)\n  Rehearse it."


def test_a_line_that_says_no_says_what_to_do() -> None:
    assert Check("image", False, "gone.", "Push it.").line == "✗ image          gone.\n                 Push it."
