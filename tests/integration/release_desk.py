"""A checkout whose image is released, as a person types it: nothing is played but what only AWS has.

The image is built, pushed to a real registry and rehearsed on a copy of a real database; the one-off task is a
container of that image, and migrates that database. moto is IAM, SSM, S3, CloudWatch; CodeDeploy is a fake of ours,
which moves the traffic as it does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.secret import Secret
from tests.aws_models import conform, conform_refusal
from tests.infra import document
from tests.infra.checkout import Checkout, Said, checked_out
from tests.integration import deployments as fake
from tests.integration.images import NAME as LOCAL
from tests.integration.images import commit, docker
from tests.integration.moto_server import Refused
from tests.integration.registry import Registry, registry
from tests.integration.release_stage import VALUES, Stage, checkout, cloud, moto, stage
from tests.integration.small_images import needed
from tests.integration.tasks_in_docker import ECR, Tasks

__all__ = ["checkout", "cloud", "moto", "registry", "stage"]

STORY = (fake.Moment("InProgress", 4), fake.Moment("InProgress", 6, green=10.0), fake.Moment("Succeeded", 8, green=100))
FIELD = "    status = models.CharField(max_length=20, choices=Status, default=Status.BUILT)\n"
MIGRATION = """from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("ledger", "{after}")]
    operations = [{operation}]
"""
ADDED = 'migrations.AddField("release", "channel", models.CharField(max_length=20, null=True, blank=True))'
TARGET = """
[tool.greenroom.databases.staging]
host = "{host}"
port = {port}
name = "{database}"
user = "{user}"
password_parameter = "/ledger/staging/DJANGO_DB_PASS"
region = "eu-central-1"
"""
HAS_COLUMN = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'ledger_release' AND column_name = %s"


@dataclass(frozen=True)
class Desk:
    """A checkout at a desk, an environment `staging`, and the database that it runs on."""

    checkout: Checkout
    stage: Stage
    tasks: Tasks
    database: Address

    def type(self, command: str, code: int = 0) -> Said:
        """In the shell, saying yes to what is asked."""
        self.stage.clear()
        said = self.checkout.run(command, AWS_ENDPOINT_URL=self.stage.cloud.url)
        assert said.code == code, said.problem
        assert "pl4nted" not in said.out + said.error
        return said

    def type_step(self, task: str) -> None:
        """A command of docs/deploy.md, as it stands there; one sees what stands there."""
        (step,) = [step for step in document.steps() if step.task == task]
        said = self.type(step.command)
        printed = (said.out + said.error).replace(self.tasks.registry, ECR).replace(f"{LOCAL}/", "")
        assert step.unseen(printed) == []

    @property
    def image(self) -> str:
        """That was pushed last from here."""
        detail = self.checkout.root / "build" / "release" / "imageDetail.json"
        return str(json.loads(detail.read_text())["ImageURI"])

    @property
    def digest(self) -> str:
        """Of that image."""
        return self.image.rpartition("@")[2]

    @property
    def rehearsal(self) -> dict[str, Any]:
        """The document of the last one that was held here."""
        path = self.checkout.root / "build" / "rehearsals" / "latest" / "rehearsal.json"
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    @property
    def writes(self) -> list[str]:
        """What the last command changed in AWS; the listener is moved by CodeDeploy."""
        return [action for action in self.stage.writes if action != "ModifyListener"]

    @property
    def running(self) -> str:
        """ARN of the task definition that bears the traffic."""
        return str(self.stage.service["taskSets"][0]["taskDefinition"])

    def has_column(self) -> bool:
        with psycopg.connect(**self.database.parameters) as connection:
            return connection.execute(HAS_COLUMN, ["channel"]).fetchone() == (1,)


@pytest.fixture
def database(server18: Server) -> Iterator[Address]:
    """An empty one, of an ordinary role that may make databases."""
    at, password = server18.address, VALUES["DJANGO_DB_PASS"]
    made = Address(at.host, at.port, "ledger_whole", "ledger_whole", Secret(password))
    name = sql.Identifier(made.database)
    with psycopg.connect(**at.parameters, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(name, password))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name))
        yield made
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        admin.execute(sql.SQL("DROP ROLE {}").format(name))


@pytest.fixture
def desk(stage: Stage, registry: Registry, database: Address, tmp_path: Path) -> Iterator[Desk]:
    needed()
    place = tmp_path / "desk"
    place.mkdir()
    made = Desk(checked_out(place, stage.cloud.url), stage, Tasks(stage.cloud, registry.host), database)
    _configure(made)
    _wire(made, registry)
    try:
        yield made
    finally:
        made.tasks.end()
        for repository in (f"{LOCAL}/ledger", f"{registry.host}/ledger"):
            if ours := docker("image", "ls", "--quiet", "--no-trunc", repository).split():
                docker("image", "rm", "--force", *dict.fromkeys(ours))


def _configure(made: Desk) -> None:
    """Images under a name of this process; the database in SSM, and as a target."""
    at = made.database
    given = {"HOST": at.host, "PORT": str(at.port), "NAME": at.database, "USER": at.user, "SSLMODE": "disable"}
    for name, value in given.items():
        made.stage.client("ssm").put_parameter(
            Name=f"/ledger/staging/DJANGO_DB_{name}", Value=value, Type="String", Overwrite=True
        )
    path = made.checkout.root / "pyproject.toml"
    named = f'[tool.greenroom.image]\nname = "{LOCAL}/ledger"\nrepository = "ledger"\n'
    text = path.read_text().replace('[tool.greenroom.image]\nname = "ledger"\n', named)
    assert named in text
    path.write_text(text + TARGET.format(host=at.host, port=at.port, database=at.database, user=at.user))
    commit(made.checkout.root)


def _wire(made: Desk, registry: Registry) -> None:
    """ECR has what its registry has; tasks are containers; traffic that was moved is on the other side."""
    stage = made.stage

    def images(given: dict[str, Any], _moto: object) -> dict[str, Any]:
        digest = given["imageIds"][0]["imageDigest"]
        try:
            registry.asked(f"{given['repositoryName']}/manifests/{digest}").close()
        except OSError:
            raise Refused(conform_refusal("ecr", "DescribeImages", "ImageNotFoundException")) from None
        return conform(
            "DescribeImages", {"imageDetails": [{"imageDigest": digest, "imagePushedAt": fake.START}]}, "ecr"
        )

    def cut_over(appspec: str) -> None:
        properties = yaml.safe_load(appspec)["Resources"][0]["TargetService"]["Properties"]
        primary = stage.service["taskSets"][0]
        (balanced,) = primary["loadBalancers"]
        (other,) = set(stage.groups.values()) - {balanced["targetGroupArn"]}
        primary["taskDefinition"], balanced["targetGroupArn"] = properties["TaskDefinition"], other
        stage.client("elbv2").modify_listener(
            ListenerArn=stage.listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": other}]
        )

    for group in stage.groups.values():  # as infra/terraform sets them
        elbv2 = stage.client("elbv2")
        elbv2.modify_target_group(TargetGroupArn=group, HealthCheckIntervalSeconds=10, HealthyThresholdCount=2)
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "30"}
        elbv2.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
    stage.cloud.registry_at(registry.host)
    stage.cloud.play("DescribeImages", images)
    made.tasks.join()
    stage.deployments.next_story, stage.deployments.cut_over = STORY, cut_over


def next_version(made: Desk, operation: str = ADDED) -> None:
    """A commit with a field more, and its migration; or with another operation there."""
    app = made.checkout.root / "app" / "ledger"
    newest = max(path.stem for path in (app / "migrations").glob("[0-9]*.py"))
    (app / "migrations" / "0099_release_channel.py").write_text(MIGRATION.format(after=newest, operation=operation))
    text = (app / "models.py").read_text()
    assert text.count(FIELD) == 1
    added = f"{FIELD}    channel = models.CharField(max_length=20, null=True, blank=True)\n"
    (app / "models.py").write_text(text.replace(FIELD, added))
    commit(made.checkout.root)
