"""infra/terraform whole, by our tasks, against moto: the commands of docs/deploy.md, a release, and all taken away.

The tests follow each other on one stack, in a checkout as a new user has it. What moto cannot know is not shown here:
whether AWS accepts every value, and whether a role may do what its actor does: tests/infra/test_roles.py looks at that.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from greenroom.infra import plan as plans
from tests.infra import document
from tests.infra.checkout import PASSWORD, Checkout, Said, checked_out
from tests.infra.cloud import filled
from tests.infra.gaps import ACCOUNT, REGION, Kept
from tests.infra.module import need_terraform
from tests.integration.moto_server import Cloud

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("stack")]

STATE = f"ledger-staging-terraform-{ACCOUNT}"
KEY = "ledger/staging.tfstate"
DIGEST = f"sha256:{'ab' * 32}"
PASSABLE = (
    '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult>'
    "<EvaluationResults/></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
)
NEEDS_DOCKER, NEEDS_CODEDEPLOY = "build", "deploy"
MAY_GO = ("aws_db_instance.this", "aws_ecr_repository.this", "aws_lb.this", "aws_s3_bucket.this")


@dataclass(frozen=True)
class Stack:
    """What was applied, and where. `said` is what each step of the document said, by its number."""

    checkout: Checkout
    cloud: Cloud
    kept: Kept
    said: dict[int, Said] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.checkout.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    @property
    def state(self) -> str:
        """Terraform's, as it lies in its bucket."""
        body = self.client("s3").get_object(Bucket=STATE, Key=KEY)["Body"]
        return str(body.read().decode())

    @property
    def outputs(self) -> dict[str, Any]:
        said = self.inv("tf-output")
        assert said.code == 0, said.problem
        found: dict[str, Any] = json.loads(said.out)
        return found

    def inv(self, task: str, *words: str) -> Said:
        return self.checkout.run(" ".join(["./inv", task, "--environment staging", *words]))

    def shown(self, plan: Path) -> dict[str, Any]:
        """What a kept plan holds, by Terraform itself."""
        argv = ["terraform", "-chdir=infra/terraform", "show", "-json", str(plan)]
        environment = {**self.checkout.environment, "TF_DATA_DIR": str(self.checkout.root / "build/terraform/staging")}
        done = subprocess.run(argv, cwd=self.checkout.root, env=environment, capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The document's commands have been typed, but those that need an engine or CodeDeploy."""
    need_terraform()
    patch = pytest.MonkeyPatch()
    patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
    with filled() as (cloud, kept):
        made = Stack(checked_out(tmp_path_factory.mktemp("stack"), cloud.url), cloud, kept)
        for step in document.steps():
            if step.task in (NEEDS_DOCKER, NEEDS_CODEDEPLOY):
                continue
            made.said[step.number] = made.checkout.run(step.command)
            assert made.said[step.number].code == 0, made.said[step.number].problem
        yield made
    patch.undo()


def test_document_has_few_commands() -> None:
    steps = document.steps()
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert len(steps) <= 8
    assert [step.task for step in steps if step.task and not step.seen] == []


def test_one_sees_what_the_document_shows(stack: Stack) -> None:
    printed = {step: stack.said[step.number] for step in document.steps() if step.number in stack.said}
    unseen = {step.number: step.unseen(said.out + said.error) for step, said in printed.items()}
    assert {number: lines for number, lines in unseen.items() if lines} == {}


def test_what_was_shown_before_it_was_applied_is_what_there_is(stack: Stack) -> None:
    (step,) = [step for step in document.steps() if step.task == "tf-apply"]
    shown = re.findall(r"^  \+ (.+?) +created$", stack.said[step.number].out, re.MULTILINE)
    assert sorted(shown) == sorted(managed(stack.state))


def test_second_plan_is_empty(stack: Stack) -> None:
    said = stack.inv("tf-plan", "--check")
    assert said.code == 0, said.problem
    assert said.out.endswith("Nothing would change.\n")
    assert "terraform init" not in said.error, "it has been prepared by the first"


def test_outputs_lead_to_what_is_there(stack: Stack) -> None:
    outputs = stack.outputs
    service = outputs["service"]
    found = stack.client("ecs").describe_services(cluster=service["cluster"], services=[service["name"]])["services"]
    assert [one["deploymentController"]["type"] for one in found] == ["CODE_DEPLOY"]
    assert (
        leads_to(stack, outputs, "production") == leads_to(stack, outputs, "test") == outputs["target_groups"]["blue"]
    )
    listed = stack.client("s3").list_buckets()["Buckets"]
    assert outputs["rehearsals_bucket"] in [bucket["Name"] for bucket in listed]


def test_password_is_in_no_state(stack: Stack) -> None:
    keys = [found["Key"] for found in stack.client("s3").list_objects_v2(Bucket=STATE)["Contents"]]
    assert keys == [KEY], "and no lock is left behind"
    assert "aws_db_instance" in stack.state
    assert PASSWORD not in stack.state


def test_first_release_may_begin(stack: Stack) -> None:
    """The document's command, as far as moto reaches: what the pre-flight asks of, Terraform has made."""
    (step,) = [step for step in document.steps() if step.task == NEEDS_CODEDEPLOY]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"})
    stack.client("ecr").put_image(repositoryName="ledger", imageManifest=manifest, imageDigest=DIGEST)
    detail = stack.checkout.root / "build" / "release" / "imageDetail.json"
    detail.parent.mkdir(parents=True, exist_ok=True)
    detail.write_text(json.dumps({"ImageURI": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ledger@{DIGEST}"}))
    stack.cloud.play("SimulatePrincipalPolicy", lambda _given, _moto: PASSABLE)
    said = stack.checkout.run(f"{step.command} --dry-run")
    assert said.code == 0, said.problem
    assert step.unseen(said.out) == ["Release? [y/N] y"]


def test_plan_is_empty_after_a_release_and_after_people_have_pushed(stack: Stack) -> None:
    cut_over(stack, stack.outputs)
    stack.client("ssm").put_parameter(
        Name="/ledger/staging/DJANGO_DB_PASS", Value=f"{PASSWORD}-2", Type="SecureString", Overwrite=True
    )
    said = stack.inv("tf-plan", "--check", "--out", "kept")
    assert said.code == 0, said.problem
    seen = {change["address"] for change in stack.shown(stack.checkout.root / "kept")["resource_drift"]}
    moved = {"aws_ecs_service.this", "aws_lb_listener.production", "aws_lb_listener.test"}
    assert moved <= seen, "Terraform sees that something is different"


def test_changed_listener_is_put_right(stack: Stack) -> None:
    """What a release does not change is still Terraform's."""
    production = stack.outputs["listeners"]["production"]
    stack.client("elbv2").modify_listener(ListenerArn=production, Port=81)
    said = stack.inv("tf-plan", "--check", "--out", "kept")
    assert said.code == 1, said.problem
    assert "  ~ aws_lb_listener.production  changed: port\n" in said.out
    assert [change.address for change in plans.read(stack.shown(stack.checkout.root / "kept"))] == [
        "aws_lb_listener.production"
    ]


def test_destroy_leaves_nothing(stack: Stack) -> None:
    said = stack.inv("tf-destroy", *(f"--allow-destroy {name}" for name in MAY_GO))
    assert said.code == 0, said.problem
    assert "  - aws_db_instance.this[0]" in said.out and " created" not in said.out
    assert left(stack) == []


def managed(state: str) -> Iterator[str]:
    """Addresses of what Terraform has made."""
    for resource in json.loads(state)["resources"]:
        if resource["mode"] == "managed":
            for instance in resource["instances"]:
                index = f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
                yield f"{resource['type']}.{resource['name']}{index}"


def cut_over(stack: Stack, outputs: dict[str, Any]) -> None:
    """What CodeDeploy leaves behind: another task definition, on green, behind both listeners; and more tasks."""
    ecs, elbv2 = stack.client("ecs"), stack.client("elbv2")
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
    assert leads_to(stack, outputs, "production") == leads_to(stack, outputs, "test") == green


def leads_to(stack: Stack, outputs: dict[str, Any], listener: str) -> str:
    """ARN of the target group."""
    arn = outputs["listeners"][listener]
    found = stack.client("elbv2").describe_listeners(ListenerArns=[arn])["Listeners"]
    return str(found[0]["DefaultActions"][0]["TargetGroupArn"])


def left(stack: Stack) -> list[str]:
    """Everything of ours that is still in the account, but the state's bucket and what people have pushed."""
    ec2, ecs, iam, logs = (stack.client(service) for service in ("ec2", "ecs", "iam", "logs"))
    pushed = (stack.checkout.root / ".env.staging").read_text()
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
            if one["Name"].rpartition("/")[2] not in pushed
        ),
    ]
