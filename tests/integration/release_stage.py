"""An environment to release into: what moto can play of it, and small fakes for what it cannot (deployments.py)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest

from greenroom.program import Program, TasksFile
from greenroom.rehearsal.document import Drill, Image, Rehearsal, Release, Source
from greenroom.release import entering, logs, one_off, rollback, watching
from tests.aws_models import conform, conform_xml
from tests.integration.deployments import Deployments
from tests.integration.moto_server import Cloud, cloud, moto
from tests.integration.release_environment import (
    ACCOUNT,
    ALARM,
    NAME,
    REGION,
    ROOT,
    alarm,
    definition,
    deployment_group,
    running_service,
    target_group,
)
from tests.rehearsal import examples

__all__ = ["cloud", "moto", "stage"]

BUCKET = f"{NAME}-rehearsals-{ACCOUNT}"
DIGEST, OTHER = "sha256:" + "a1" * 32, "sha256:" + "b2" * 32  # the former is in ECR
FIRST = "sha256:" + "d4" * 32  # what runs, and is there, too
PLAN = "c3" * 32
CONFIGURATION = f"""
[tool.greenroom.image]
name = "ledger"

[tool.greenroom.environments.staging]
ssm_path = "/ledger/staging"
region = "{REGION}"
account = "{ACCOUNT}"

[tool.greenroom.environments.other]
ssm_path = "/ledger/staging"
region = "{REGION}"
account = "210987654321"
"""
VALUES = {
    "DJANGO_SECRET_KEY": "pl4nted-d9Zr-4kx7_wQmB2tVn8sYcF6hLpJ0aGeUo3iTRbNqXyWzKvM51",
    "DJANGO_ALLOWED_HOSTS": "ledger.example.com",
    "DJANGO_EXTERNAL_HOST_NAME": "ledger.example.com",
    "DJANGO_DB_HOST": "db.example.com",
    "DJANGO_DB_NAME": "ledger",
    "DJANGO_DB_USER": "ledger",
    "DJANGO_DB_PASS": "pl4nted-hunter2",
}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SECRET = ("DJANGO_SECRET_KEY", "DJANGO_DB_PASS")
READS = ("Get", "Head", "List", "Describe", "BatchGet", "Filter", "Simulate", "GET", "HEAD")


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    error: str


@dataclass
class Stage:
    """The environment `staging`, as Terraform would leave it, with one release that runs."""

    cloud: Cloud
    root: Path
    capture: pytest.CaptureFixture[str]
    deployments: Deployments
    service: dict[str, Any]
    network: dict[str, Any]
    groups: dict[str, str]
    listener: str
    log: list[str] = field(
        default_factory=lambda: ["greenroom: Pending: ledger.0010_x; plan c3c3.", "greenroom: Migrated."]
    )
    exit_code: int | None = 0
    passing: str = "allowed"
    stopped_reason: str = "Essential container in task exited"

    def client(self, service: str) -> Any:
        return client(service)

    def inv(self, *words: str) -> Said:
        """Run a task in this process, with nobody to ask; nothing planted may be seen."""
        self.capture.readouterr()
        try:
            code = Program(version="0", loader_class=TasksFile).answer(["inv", *words])
        except SystemExit as end:  # interrupted
            code = int(str(end.code))
        said = self.capture.readouterr()
        assert "pl4nted" not in said.out + said.err
        assert "Traceback" not in said.err, said.err
        return Said(code, said.out, said.err)

    def staging(self, task: str, *words: str) -> Said:
        return self.inv(task, "--environment", "staging", *words)

    @property
    def writes(self) -> list[str]:
        """Every call that changes something, since the last `clear`."""
        changing = [call.action for call in self.cloud.calls if not call.action.startswith(READS)]
        return [action for action in changing if action not in ("CreateLogStream", "PutLogEvents")]  # the stage's own

    def clear(self) -> None:
        self.cloud.calls.clear()

    def raise_alarm(self) -> None:
        """From now on CodeDeploy stops whatever asks for it."""
        reason = "Threshold Crossed: 2 datapoints were greater than the threshold (5.0)."
        self.client("cloudwatch").set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason=reason)
        self.deployments.alarm = True
        self.clear()

    def rehearse(self, change: Callable[[Rehearsal], None] = lambda _: None, *, digest: str = DIGEST) -> Rehearsal:
        """Put a document of a rehearsal into the bucket."""
        made = rehearsal(change)
        self.client("s3").put_object(
            Bucket=BUCKET,
            Key=f"rehearsals/{digest}/{PLAN}/rehearsal.json",
            Body=made.to_json().encode(),
        )
        self.clear()
        return made

    def objects(self, prefix: str) -> list[dict[str, Any]]:
        """The JSON objects of the bucket below a prefix."""
        s3 = self.client("s3")
        keys = [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())]
        return [json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in sorted(keys)]


def rehearsal(change: Callable[[Rehearsal], None] = lambda _: None) -> Rehearsal:
    """One that passed, in the image, on data that are not the demo's."""
    made = examples.passed()
    made.image = Image(name="ledger", digest=DIGEST, id=DIGEST)
    made.plan.fingerprint = PLAN
    made.source = Source(kind="target", description="ledger")
    tried = Release(name="v1", digest=FIRST)
    made.drills = [Drill(name="old-release", status="passed", reason="v1 reads and writes 8 models", release=tried)]
    change(made)
    return made


@cache
def client(service: str) -> Any:
    """One for the session: the server is one, too."""
    return boto3.client(service, region_name=REGION)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with our app and templates, and a configuration of its own."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "app", root / "app", ignore=shutil.ignore_patterns("__pycache__", "build"))
    shutil.copytree(ROOT / "ci", root / "ci")
    template = root / "ci" / "taskdef.json"  # moto runs only containers that say how much memory they take
    template.write_text(template.read_text().replace('"essential": true,', '"essential": true, "memory": 1024,'))
    (root / "pyproject.toml").write_text(CONFIGURATION)
    (root / "tasks.py").write_text("from greenroom.tasks import namespace\n")
    return root


@pytest.fixture
def stage(
    cloud: Cloud,
    checkout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Stage:
    root = tmp_path / "checkout"
    shutil.copytree(checkout, root)
    monkeypatch.chdir(root)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for module in (watching, one_off, logs, entering):
        monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(one_off, "LAG_SECONDS", 0.2)
    monkeypatch.setattr(rollback, "TAKEN_BACK_SECONDS", 0.2)
    made = _environment(cloud, root, capsys)
    made.deployments.join(cloud)
    cloud.play(
        "DescribeServices", lambda _given, _moto: conform("DescribeServices", {"services": [made.service]}, "ecs")
    )
    cloud.play(
        "SimulatePrincipalPolicy",
        lambda given, _moto: conform_xml("iam", "SimulatePrincipalPolicy", _simulated(made, given)),
    )
    cloud.play("RunTask", lambda _given, there: conform("RunTask", _begun(made, there()), "ecs"))
    cloud.play("DescribeTasks", lambda _given, there: conform("DescribeTasks", _ended(made, there()), "ecs"))
    made.clear()
    return made


def _environment(cloud: Cloud, root: Path, capture: pytest.CaptureFixture[str]) -> Stage:
    """All that moto knows."""
    for name, value in VALUES.items():
        kind = "SecureString" if name in SECRET else "String"
        client("ssm").put_parameter(Name=f"/ledger/staging/{name}", Value=value, Type=kind)
    client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    client("ecr").create_repository(repositoryName="ledger")
    for digest in (FIRST, DIGEST):
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "annotations": {"of": digest}})
        client("ecr").put_image(repositoryName="ledger", imageManifest=manifest, imageDigest=digest)
    client("logs").create_log_group(logGroupName=f"/ecs/{NAME}")
    roles = {f"{NAME}-task": "ecs-tasks", f"{NAME}-execution": "ecs-tasks", f"{NAME}-codedeploy": "codedeploy"}
    for role, service in roles.items():
        trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}}]}
        client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
    vpc = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    client("ec2").modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnets = [
        client("ec2").create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")[
            "Subnet"
        ]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    groups = {side: target_group(client("elbv2"), f"{NAME}-{side}", vpc) for side in ("blue", "green")}
    balancer = client("elbv2").create_load_balancer(Name=NAME, Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    listener = client("elbv2").create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": groups["blue"]}],
    )["Listeners"][0]["ListenerArn"]
    alarm(client("cloudwatch"))
    client("ecs").create_cluster(clusterName=NAME)
    running = client("ecs").register_task_definition(**definition(FIRST))["taskDefinition"]["taskDefinitionArn"]
    network = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": []}}
    return Stage(
        cloud=cloud,
        root=root,
        capture=capture,
        deployments=Deployments(deployment_group(listener)),
        service=running_service(running, groups["blue"], network),
        network=network,
        groups=groups,
        listener=listener,
    )


def _simulated(stage: Stage, given: dict[str, Any]) -> str:
    """Of each role that is to be passed."""
    roles = [value for key, value in given.items() if key.startswith("ResourceArns.member.")]
    results = "".join(
        f"<member><EvalActionName>iam:PassRole</EvalActionName><EvalResourceName>{role}</EvalResourceName>"
        f"<EvalDecision>{stage.passing}</EvalDecision></member>"
        for role in roles
    )
    return (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        f"<SimulatePrincipalPolicyResult><EvaluationResults>{results}</EvaluationResults>"
        "<IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
    )


def _begun(stage: Stage, answer: dict[str, Any]) -> dict[str, Any]:
    """The task has written its log by the time that anybody looks."""
    for task in answer.get("tasks") or ():
        stream = f"app/app/{task['taskArn'].rpartition('/')[2]}"
        logs = stage.client("logs")
        logs.create_log_stream(logGroupName=f"/ecs/{NAME}", logStreamName=stream)
        now = int(__import__("time").time() * 1000)
        events = [{"timestamp": now, "message": line} for line in stage.log]
        if events:
            logs.put_log_events(logGroupName=f"/ecs/{NAME}", logStreamName=stream, logEvents=events)
    return answer


def _ended(stage: Stage, answer: dict[str, Any]) -> dict[str, Any]:
    """moto's tasks always end with 0: here as the test wants it."""
    for task in answer.get("tasks") or ():
        if task["lastStatus"] == "STOPPED":
            task["stoppedReason"] = stage.stopped_reason
            for container in task["containers"]:
                container.pop("exitCode", None)
                if stage.exit_code is not None:
                    container["exitCode"] = stage.exit_code
    return answer
