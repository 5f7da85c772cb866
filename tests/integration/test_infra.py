"""The whole of infra/terraform by the real AWS provider, against moto: applied, moved by a release, taken away again.

The tests follow each other on one stack. What moto cannot know is not shown here: whether AWS accepts every value, and
whether a role may do what its actor does (tests/infra/test_roles.py looks at that).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.infra.cloud import filled
from tests.infra.gaps import ACCOUNT, REGION, Kept
from tests.infra.module import Module, prepared
from tests.integration.moto_server import CREDENTIALS

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("stack")]

PASSWORD = "0f-a-Test-and-nothing-else"
STATE = f"ledger-staging-terraform-{ACCOUNT}"
VALUES = "-var-file=environments/staging.tfvars"
NOTHING_TO_DO, SOMETHING_TO_DO = 0, 2  # of plan -detailed-exitcode


@dataclass(frozen=True)
class Stack:
    """What was applied, and where."""

    module: Module
    kept: Kept
    url: str

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    @property
    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.module.run("output", "-json").out)
        return {name: output["value"] for name, output in found.items()}

    def plan(self, *words: str) -> tuple[int, str]:
        done = self.module.run("plan", "-detailed-exitcode", VALUES, *words)
        return done.code, done.problem


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    place = tmp_path_factory.mktemp("stack")
    patch = pytest.MonkeyPatch()
    patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "HTTP_PROXY", "http_proxy"):
        patch.delenv(name, raising=False)
    with filled() as (cloud, kept):
        environment = {**CREDENTIALS, "AWS_ENDPOINT_URL": cloud.url, "AWS_MAX_ATTEMPTS": "1"}
        module = prepared(place, **environment, TF_VAR_database_password=PASSWORD)
        stack = Stack(module, kept, cloud.url)
        _package_hook(place / "build" / "hook.zip")
        stack.client("s3").create_bucket(Bucket=STATE, CreateBucketConfiguration={"LocationConstraint": REGION})
        done = module.run("init", "-reconfigure", "-backend-config=environments/staging.s3.tfbackend")
        assert done.code == 0, done.problem
        done = module.run("apply", "-auto-approve", VALUES)
        assert done.code == 0, done.problem
        yield stack
    patch.undo()


def test_second_plan_is_empty(stack: Stack) -> None:
    code, said = stack.plan()
    assert code == NOTHING_TO_DO, said


def test_outputs_lead_to_what_is_there(stack: Stack) -> None:
    outputs = stack.outputs
    service = outputs["service"]
    found = stack.client("ecs").describe_services(cluster=service["cluster"], services=[service["name"]])["services"]
    assert [one["deploymentController"]["type"] for one in found] == ["CODE_DEPLOY"]
    assert leads_to(stack, "production") == leads_to(stack, "test") == outputs["target_groups"]["blue"]
    listed = stack.client("s3").list_buckets()["Buckets"]
    assert outputs["rehearsals_bucket"] in [bucket["Name"] for bucket in listed]


def test_password_is_in_no_state(stack: Stack) -> None:
    s3 = stack.client("s3")
    versions = [found["Key"] for found in s3.list_objects_v2(Bucket=STATE)["Contents"]]
    assert versions == ["ledger/staging.tfstate"], "and no lock is left behind"
    text = s3.get_object(Bucket=STATE, Key=versions[0])["Body"].read().decode()
    assert "aws_db_instance" in text
    assert PASSWORD not in text


def test_plan_is_empty_after_a_release(stack: Stack) -> None:
    cut_over(stack)
    code, said = stack.plan("-refresh-only")
    assert code == SOMETHING_TO_DO, f"Terraform sees that something is different: {said}"
    code, said = stack.plan()
    assert code == NOTHING_TO_DO, said


def test_plan_is_empty_after_people_have_pushed(stack: Stack) -> None:
    stack.client("ssm").put_parameter(Name="/ledger/staging/DJANGO_DB_PASS", Value=PASSWORD, Type="SecureString")
    code, said = stack.plan()
    assert code == NOTHING_TO_DO, said


def test_changed_listener_is_put_right(stack: Stack) -> None:
    """What a release does not change is still Terraform's."""
    production = stack.outputs["listeners"]["production"]
    stack.client("elbv2").modify_listener(ListenerArn=production, Port=81)
    code, said = stack.plan()
    assert code == SOMETHING_TO_DO, said
    assert "aws_lb_listener.production will be updated in-place" in said
    stack.client("elbv2").modify_listener(ListenerArn=production, Port=80)


def test_destroy_leaves_nothing(stack: Stack) -> None:
    done = stack.module.run("destroy", "-auto-approve", VALUES)
    assert done.code == 0, done.problem
    assert left(stack) == []


def cut_over(stack: Stack) -> None:
    """What CodeDeploy leaves behind: another task definition, on green, behind both listeners; and more tasks."""
    outputs, ecs, elbv2 = stack.outputs, stack.client("ecs"), stack.client("elbv2")
    green, service = outputs["target_groups"]["green"], outputs["service"]
    registered = ecs.register_task_definition(
        family="ledger-staging",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="512",
        memory="1024",
        containerDefinitions=[{"name": "app", "image": f"{outputs['repository']}@sha256:{'0' * 64}"}],
    )["taskDefinition"]["taskDefinitionArn"]
    balanced = {"targetGroupArn": green, "containerName": "app", "containerPort": service["container_port"]}
    ecs.update_service(
        cluster=service["cluster"],
        service=service["name"],
        taskDefinition=registered,
        desiredCount=3,
        loadBalancers=[balanced],
    )
    for listener in outputs["listeners"].values():
        elbv2.modify_listener(ListenerArn=listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": green}])
    assert leads_to(stack, "production") == leads_to(stack, "test") == green


def leads_to(stack: Stack, listener: str) -> str:
    """ARN of the target group."""
    arn = stack.outputs["listeners"][listener]
    found = stack.client("elbv2").describe_listeners(ListenerArns=[arn])["Listeners"]
    return str(found[0]["DefaultActions"][0]["TargetGroupArn"])


def left(stack: Stack) -> list[str]:
    """Everything of ours that is still in the account, but the state's bucket and what people have pushed."""
    ec2, ecs, iam, logs = (stack.client(service) for service in ("ec2", "ecs", "iam", "logs"))
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    return [
        *stack.kept.left(),
        *(one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"] if not one["IsDefault"]),
        *(one["AllocationId"] for one in ec2.describe_addresses()["Addresses"]),
        *(one["LoadBalancerName"] for one in stack.client("elbv2").describe_load_balancers()["LoadBalancers"]),
        *(one["TargetGroupName"] for one in stack.client("elbv2").describe_target_groups()["TargetGroups"]),
        *(one["clusterName"] for one in clusters if one["status"] != "INACTIVE"),
        *(one["repositoryName"] for one in stack.client("ecr").describe_repositories()["repositories"]),
        *(one["DBInstanceIdentifier"] for one in stack.client("rds").describe_db_instances()["DBInstances"]),
        *(one["name"] for one in stack.client("codepipeline").list_pipelines()["pipelines"]),
        *(one["FunctionName"] for one in stack.client("lambda").list_functions()["Functions"]),
        *(one["RoleName"] for one in iam.list_roles()["Roles"]),
        *(one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]),
        *(one["TopicArn"] for one in stack.client("sns").list_topics()["Topics"]),
        *(one["AlarmName"] for one in stack.client("cloudwatch").describe_alarms()["MetricAlarms"]),
        *(one["Name"] for one in stack.client("events").list_rules()["Rules"]),
        *(one["Name"] for one in stack.client("s3").list_buckets()["Buckets"] if one["Name"] != STATE),
        *(
            one["Name"]
            for one in stack.client("ssm").describe_parameters()["Parameters"]
            if not one["Name"].endswith("DJANGO_DB_PASS")
        ),
    ]


def _package_hook(path: Path) -> None:
    """Something that can be uploaded; moto runs no functions here."""
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("after_allow_test_traffic.py", "def handler(event, context): ...\n")
