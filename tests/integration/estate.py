"""A cluster and an instance in AWS, as moto plays it, in front of a real PostgreSQL; and a copy of one of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest

from greenroom.config import AuroraTarget, RdsTarget
from greenroom.console import Silent
from greenroom.postgres.embedded import Server
from greenroom.postgres.engines import resources
from greenroom.postgres.engines.acquiring import engine_copy
from greenroom.postgres.engines.resources import Described, Kind
from greenroom.postgres.lease import Lease, copy_name
from greenroom.secret import Secret
from tests.integration.moto_server import Cloud
from tests.integration.shop import PLANTED

ROOT = Path(__file__).parents[2]
AURORA = AuroraTarget(kind="aurora-clone", name="shop", user="app", cluster="prod")
RDS = RdsTarget(kind="rds-snapshot", name="shop", user="app", instance="solo")
FRESH = RDS.model_copy(update={"snapshot": "fresh"})


class Told(Silent):
    """A progress that remembers, and that may do something at a step."""

    def __init__(self, at_step: Callable[[str], None] = lambda _text: None) -> None:
        self.steps: list[str] = []
        self.details: list[str] = []
        self.at_step = at_step

    def step(self, text: str) -> None:
        self.steps.append(re.sub(r"-[0-9a-f]{6}", "-SUFFIX", text))
        self.at_step(text)

    def detail(self, text: str) -> None:
        self.details.append(text)


@dataclass
class Estate:
    """A cluster and an instance in moto, whose port is that of a real server; `groups` are their security groups."""

    cloud: Cloud
    rds: Any
    groups: list[str]

    def snapshot(self, name: str = "nightly", **more: Any) -> None:
        self.rds.create_db_snapshot(DBSnapshotIdentifier=name, DBInstanceIdentifier="solo", **more)

    def names(self) -> set[str]:
        """Everything that there is, whoever made it, but for the backups that AWS makes of instances that are there."""
        made = [found for kind in KINDS for found in resources.described(self.rds, kind)]
        there = {found.resource.identifier for found in made if found.resource.kind == "instance"}
        return {str(found.resource) for found in made if not _is_backup_of(found, there)}


def _is_backup_of(found: Described, instances: set[str]) -> bool:
    automated = found.resource.kind == "snapshot" and found.facts["SnapshotType"] == "automated"
    return automated and found.facts["DBInstanceIdentifier"] in instances


KINDS: tuple[Kind, ...] = ("cluster", "instance", "snapshot")
BEFORE = {"the cluster prod", "the instance prod-1", "the instance solo", "the snapshot nightly"}


@cache
def _session() -> boto3.Session:
    return boto3.Session("testing", "testing", region_name="us-east-1")


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """The tests' own, and one for all files that ask for it: it reads the large description of EC2 but once."""
    return _session()


@pytest.fixture
def estate(cloud: Cloud, session: boto3.Session, server18: Server) -> Iterator[Estate]:
    port = server18.address.port
    with closing(session.client("rds")) as rds, closing(session.client("ec2")) as ec2:
        subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]][:2]
        group = ec2.create_security_group(GroupName="db", Description="db")["GroupId"]
        rds.create_db_subnet_group(DBSubnetGroupName="private", DBSubnetGroupDescription="-", SubnetIds=subnets)
        common = {"DBSubnetGroupName": "private", "VpcSecurityGroupIds": [group], "Port": port}
        boss = {"MasterUsername": "boss", "MasterUserPassword": "pl4nted-boss", **common}
        rds.create_db_cluster(DBClusterIdentifier="prod", Engine="aurora-postgresql", DeletionProtection=True, **boss)
        rds.create_db_instance(
            DBInstanceIdentifier="prod-1",
            DBClusterIdentifier="prod",
            Engine="aurora-postgresql",
            DBInstanceClass="db.r6g.4xlarge",
        )
        rds.create_db_instance(
            DBInstanceIdentifier="solo", Engine="postgres", DBInstanceClass="db.m5.large", AllocatedStorage=20, **boss
        )
        found = Estate(cloud, rds, [group])
        found.snapshot()
        cloud.calls.clear()
        yield found


def terms(**how: object) -> Lease:
    return replace(Lease.new(branch="fix_it", source="staging", hours=1), **how)  # type: ignore[arg-type]


def acquired(target: Any, progress: Told | None = None, **how: Any) -> Any:
    """A copy of `target` as the flow acquires it."""
    name = copy_name("shop", "fix_it")
    return engine_copy(target, name, how.pop("lease", terms()), Secret(PLANTED), progress or Told(), **how)
