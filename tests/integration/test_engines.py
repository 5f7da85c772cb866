"""Copies in AWS: Aurora and RDS as moto plays them, in front of a real PostgreSQL."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from greenroom.aws import AwsError
from greenroom.config import AuroraTarget, RdsTarget
from greenroom.console import Silent
from greenroom.errors import ANSWER_IS_NO, GreenroomError, Terminated
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.engines import resources, tags
from greenroom.postgres.engines.acquiring import engine_copy, standing
from greenroom.postgres.engines.resources import Described, Kind, NotOurs
from greenroom.postgres.lease import Lease, copy_name
from greenroom.postgres.server import connect
from greenroom.secret import Secret
from tests.integration.moto_server import CREDENTIALS, Cloud, cloud, moto
from tests.integration.shop import PLANTED, ROWS, Shop, shop

pytestmark = pytest.mark.full

__all__ = ["cloud", "moto"]
ROOT = Path(__file__).parents[2]
AURORA = AuroraTarget(kind="aurora-clone", name="shop", user="app", cluster="prod")
RDS = RdsTarget(kind="rds-snapshot", name="shop", user="app", instance="solo")
FRESH = RDS.model_copy(update={"snapshot": "fresh"})
ENGINES = [
    pytest.param(AURORA, id="aurora"),
    pytest.param(RDS, id="rds", marks=pytest.mark.full),
    pytest.param(FRESH, id="fresh", marks=pytest.mark.full),
]

# A copy in a process of its own, that can be killed: the target as JSON, and a lease of its own process.
COPYING = """
import sys
from greenroom.interrupts import raise_when_terminated
from greenroom.config import parse
from greenroom.console import Silent
from greenroom.postgres.engines.acquiring import engine_copy
from greenroom.postgres.lease import Lease, copy_name
from pathlib import Path
import json
raise_when_terminated()
target = parse({"databases": {"x": json.loads(sys.argv[1])}}, Path.cwd()).target("x")
terms = Lease.new(branch="fix_it", source="x", hours=1)
with engine_copy(target, copy_name("shop", "fix_it"), terms, None, Silent()) as copy:
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def source(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made


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


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """The test's own: it reads the large description of EC2 but once."""
    return boto3.Session("testing", "testing", region_name="us-east-1")


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


def goods(address: Address) -> int:
    """Rows, read through the copy's own address; only the name is resolved to where the test's server is."""
    here = replace(address, options={**address.options, "hostaddr": "127.0.0.1"})
    with connect(here) as connection:
        row = connection.execute("SELECT count(*) FROM goods").fetchone()
    return int(row[0]) if row else 0


def of_shop(target: Any, source: Shop) -> Any:
    return target.model_copy(update={"name": source.address.database, "user": source.address.user})


def test_aurora_clone_is_read_and_deleted_with_its_instance(estate: Estate, source: Shop) -> None:
    progress = Told()
    with acquired(of_shop(AURORA, source), progress) as copy:
        assert goods(copy.address) == ROWS
        assert re.fullmatch(r"greenroom-shop-fix-it-[0-9a-f]{6}", copy.name)
        assert re.fullmatch(rf"{copy.name}\.cluster-\w+\.us-east-1\.rds\.amazonaws\.com", copy.address.host)
        assert (copy.label, copy.method) == ("an Aurora clone of prod in us-east-1", "aurora clone")
        assert copy.notes == [
            "an Aurora clone shares the source's storage: the first write to a page copies it; its cache starts empty",
            "the clone's instance is db.r6g.large, the source's writer db.r6g.4xlarge: other times than there",
        ]
    assert copy.dropped and estate.names() == BEFORE
    assert progress.steps == [
        "reading the Aurora cluster prod",
        "cloning the Aurora cluster prod as greenroom-shop-fix-it-SUFFIX",
        "starting db.r6g.large for greenroom-shop-fix-it-SUFFIX",
        "deleting greenroom-shop-fix-it-SUFFIX",
    ]


def test_aurora_clone_is_asked_for_as_a_copy_on_write_in_the_source_s_network(estate: Estate) -> None:
    lease = terms()
    with acquired(AURORA, lease=lease) as copy:
        pass
    (restore,) = estate.cloud.called("RestoreDBClusterToPointInTime")
    asked = {key: value for key, value in restore.parameters.items() if not key.startswith("Tags.")}
    assert asked == {
        "Version": "2014-10-31",
        "DBClusterIdentifier": copy.name,
        "SourceDBClusterIdentifier": "prod",
        "RestoreType": "copy-on-write",
        "UseLatestRestorableTime": "true",
        "DBSubnetGroupName": "private",
        "VpcSecurityGroupIds.VpcSecurityGroupId.1": estate.groups[0],
        "DBClusterParameterGroupName": "default.aurora8.0",
        "Port": str(copy.address.port),
        "EnableIAMDatabaseAuthentication": "false",
        "BackupRetentionPeriod": "1",
        "CopyTagsToSnapshot": "false",
        "DeletionProtection": "false",
    }
    (create,) = estate.cloud.called("CreateDBInstance")
    assert create.parameters["DBInstanceIdentifier"] == f"{copy.name}-1"
    assert create.parameters["PubliclyAccessible"] == "false"
    for call in (restore, create):
        assert tags.lease_of([{"Key": k, "Value": v} for k, v in call.tags.items()]) == lease
    deleted = [estate.cloud.called(action)[0].parameters for action in ("DeleteDBInstance", "DeleteDBCluster")]
    assert [found["SkipFinalSnapshot"] for found in deleted] == ["true", "true"]
    assert [found["DeleteAutomatedBackups"] for found in deleted] == ["true", "true"]


@pytest.mark.full
def test_security_groups_of_the_table_go_over_the_source_s(estate: Estate) -> None:
    for target in (AURORA, RDS):
        with acquired(target.model_copy(update={"security_groups": ["sg-1", "sg-2"]})):
            pass
    for action in ("RestoreDBClusterToPointInTime", "RestoreDBInstanceFromDBSnapshot"):
        (call,) = estate.cloud.called(action)
        given = [v for k, v in call.parameters.items() if k.startswith("VpcSecurityGroupIds.")]
        assert given == ["sg-1", "sg-2"]


@pytest.mark.full
def test_serverless_clone_scales_as_the_source_does(estate: Estate) -> None:
    estate.rds.create_db_cluster(
        DBClusterIdentifier="elastic",
        Engine="aurora-postgresql",
        MasterUsername="boss",
        MasterUserPassword="pl4nted-boss",
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 8},
    )
    with acquired(AURORA.model_copy(update={"cluster": "elastic", "instance_class": "db.serverless"})):
        pass
    (restore,) = estate.cloud.called("RestoreDBClusterToPointInTime")
    assert restore.parameters["ServerlessV2ScalingConfiguration.MinCapacity"] == "0.5"
    assert restore.parameters["ServerlessV2ScalingConfiguration.MaxCapacity"] == "8.0"


def test_rds_restores_the_newest_snapshot_and_says_how_old_it_is(estate: Estate, source: Shop) -> None:
    estate.snapshot("newer")
    estate.snapshot("of-another-copy", Tags=tags.of_lease(terms()))
    with acquired(of_shop(RDS, source)) as copy:
        assert goods(copy.address) == ROWS
        (restore,) = estate.cloud.called("RestoreDBInstanceFromDBSnapshot")
        assert restore.parameters["DBSnapshotIdentifier"] == "newer"
        assert re.fullmatch(
            r"restored from the snapshot newer of \d{4}-\d\d-\d\d \d\d:\d\d UTC, 0\.0 h old", copy.notes[0]
        )
        assert copy.notes[1:] == [
            "RDS fetches a restored block when it is first read: what reads much takes longer than on the source"
        ]
    assert copy.dropped and estate.names() == BEFORE | {"the snapshot newer", "the snapshot of-another-copy"}
    assert restore.tags[tags.LEASE] and not estate.cloud.called("CreateDBSnapshot")[2:]
    asked = {key: value for key, value in restore.parameters.items() if not key.startswith("Tags.")}
    assert asked == {
        "Version": "2014-10-31",
        "DBInstanceIdentifier": copy.name,
        "DBSnapshotIdentifier": "newer",
        "DBInstanceClass": "db.m5.large",
        "DBSubnetGroupName": "private",
        "VpcSecurityGroupIds.VpcSecurityGroupId.1": estate.groups[0],
        "DBParameterGroupName": "default.postgres9.3",
        "EnableIAMDatabaseAuthentication": "false",
        "StorageType": "gp2",
        "BackupRetentionPeriod": "0",
        "MultiAZ": "false",
        "PubliclyAccessible": "false",
        "AutoMinorVersionUpgrade": "false",
        "CopyTagsToSnapshot": "false",
        "DeletionProtection": "false",
    }


def test_rds_makes_a_fresh_snapshot_and_deletes_it_when_the_instance_stands(estate: Estate, source: Shop) -> None:
    with acquired(of_shop(FRESH, source)) as copy:
        assert goods(copy.address) == ROWS
        (create,) = estate.cloud.called("CreateDBSnapshot")
        assert create.parameters["DBSnapshotIdentifier"] == copy.name and create.tags[tags.LEASE]
        assert estate.names() == BEFORE | {f"the instance {copy.name}"}
    assert copy.dropped and estate.names() == BEFORE


@pytest.mark.full
def test_rds_of_another_class_says_so(estate: Estate) -> None:
    with acquired(RDS.model_copy(update={"instance_class": "db.t4g.medium"})) as copy:
        assert "the copy's instance is db.t4g.medium, the source's db.m5.large: other times than there" in copy.notes


@pytest.mark.parametrize("target", ENGINES)
@pytest.mark.parametrize(
    "error",
    [ValueError(), *(pytest.param(e, marks=pytest.mark.full) for e in (KeyboardInterrupt(), Terminated()))],
    ids=repr,
)
def test_copy_is_deleted_however_the_block_ends(target: Any, error: BaseException, estate: Estate) -> None:
    with pytest.raises(type(error)), acquired(target) as copy:
        raise error
    assert copy.dropped and estate.names() == BEFORE


@pytest.mark.parametrize("target", ENGINES)
def test_kept_copy_stays_is_listed_and_can_be_dropped(target: Any, estate: Estate) -> None:
    lease = terms(kept=True)
    with acquired(target, lease=lease, keep=True) as copy:
        pass
    assert not copy.dropped
    (remains,) = standing({"staging": target, "again": target})
    kind = "cluster" if target is AURORA else "instance"
    assert (remains.name, remains.kind, remains.where) == (copy.name, "aws", f"{kind} in us-east-1 (123456789012)")
    assert (remains.state, remains.to_be_reaped, remains.lease) == ("kept", False, lease)
    remains.drop()
    assert estate.names() == BEFORE and standing({"staging": target}) == []


def test_copy_that_is_not_whole_yet_is_deleted_though_it_should_be_kept(estate: Estate) -> None:
    with acquired(RDS, keep=True) as copy:
        copy.whole = False
    assert copy.dropped and estate.names() == BEFORE


def test_copy_that_is_half_made_is_deleted_though_it_should_be_kept(estate: Estate) -> None:
    estate.cloud.refuse("CreateDBInstance", "InsufficientDBInstanceCapacity", "none in us-east-1a")
    with pytest.raises(AwsError) as refused, acquired(AURORA, keep=True):
        pass
    assert str(refused.value) == (
        "AWS has no capacity for CreateDBInstance at the moment (InsufficientDBInstanceCapacity): none in us-east-1a.\n"
        "  Try again later, or choose another instance_class in the target's table."
    )
    assert estate.names() == BEFORE


def test_quota_is_told_and_what_was_made_until_then_is_deleted(estate: Estate) -> None:
    estate.cloud.refuse("RestoreDBInstanceFromDBSnapshot", "InstanceQuotaExceeded", "Quota is 40")
    with pytest.raises(AwsError) as refused, acquired(FRESH):
        pass
    assert refused.value.sentence == (
        "a quota of the AWS account is reached at RestoreDBInstanceFromDBSnapshot (InstanceQuotaExceeded): Quota is 40."
    )
    assert len(estate.cloud.called("CreateDBSnapshot")) == 1 and estate.names() == BEFORE


@pytest.mark.parametrize(
    ("target", "action"),
    [
        (AURORA, "RestoreDBClusterToPointInTime"),
        pytest.param(RDS, "RestoreDBInstanceFromDBSnapshot", marks=pytest.mark.full),
        pytest.param(FRESH, "CreateDBSnapshot", marks=pytest.mark.full),
    ],
)
def test_access_denied_makes_and_deletes_nothing(target: Any, action: str, estate: Estate) -> None:
    said = f"User: arn:aws:iam::1:user/me is not authorized to perform: rds:{action} on resource: x"
    estate.cloud.refuse(action, "AccessDenied", said, status=403)
    with pytest.raises(AwsError) as refused, acquired(target):
        pass
    assert refused.value.sentence == f"AWS does not let this identity do rds:{action}."
    assert estate.names() == BEFORE and not [c for c in estate.cloud.calls if c.action.startswith("Delete")]


def test_unknown_sources_are_named_with_the_region(estate: Estate) -> None:
    with pytest.raises(GreenroomError) as refused, acquired(AURORA.model_copy(update={"cluster": "nix"})):
        pass
    assert str(refused.value) == (
        "there is no cluster nix in us-east-1.\n"
        "  `aws rds describe-db-clusters --region us-east-1` lists them; check region and profile."
    )
    with pytest.raises(GreenroomError) as refused, acquired(RDS.model_copy(update={"instance": "nix"})):
        pass
    assert refused.value.sentence == "there is no RDS instance nix in us-east-1."


@pytest.mark.full
def test_sources_of_the_other_kind_are_refused_with_the_right_one(estate: Estate) -> None:
    with pytest.raises(GreenroomError) as refused, acquired(RDS.model_copy(update={"instance": "prod-1"})):
        pass
    assert str(refused.value) == (
        "the instance prod-1 is aurora-postgresql, and this kind of copy is of postgres.\n"
        '  An Aurora cluster is kind = "aurora-clone".'
    )


def test_no_snapshot_that_could_be_restored(estate: Estate) -> None:
    for snapshot in resources.described(estate.rds, "snapshot", DBInstanceIdentifier="solo"):
        estate.rds.delete_db_snapshot(DBSnapshotIdentifier=snapshot.resource.identifier)
    with pytest.raises(GreenroomError) as refused, acquired(RDS):
        pass
    assert str(refused.value) == (
        "solo has no snapshot that could be restored.\n"
        '  Write snapshot = "fresh" into the target\'s table: then one is made, and deleted again.'
    )
    assert estate.names() == BEFORE - {"the snapshot nightly"}


def test_instance_that_fails_is_told_and_deleted(estate: Estate) -> None:
    def fail(step: str) -> None:
        estate.cloud.say("DescribeDBInstances", "incompatible-network" if step.startswith("starting") else None)

    with pytest.raises(GreenroomError) as refused, acquired(AURORA, Told(fail)):
        pass
    assert refused.value.sentence.endswith("-1 will not become available: AWS says that it is incompatible-network.")
    assert estate.names() == BEFORE


@pytest.mark.full
def test_waiting_sits_out_that_aws_does_not_answer(estate: Estate) -> None:
    def throttle(step: str) -> None:
        if step.startswith("starting"):
            estate.cloud.refuse("DescribeDBInstances", "Throttling", "Rate exceeded", times=4)

    progress = Told(throttle)
    with acquired(AURORA, progress):
        pass
    assert "AWS does not answer (Throttling) · 0.0 min" in progress.details
    assert estate.names() == BEFORE


@pytest.mark.full
def test_deletion_is_tried_again_while_aws_is_not_ready_for_it(estate: Estate) -> None:
    estate.cloud.refuse("DeleteDBCluster", "InvalidDBClusterStateFault", "it is being made", times=2)
    progress = Told()
    with acquired(AURORA, progress) as copy:
        pass
    waits = "AWS is not ready for it (InvalidDBClusterStateFault) · Ctrl-C leaves it to ./inv db-reap"
    assert progress.details[-2:] == [waits, waits]
    assert copy.dropped and estate.names() == BEFORE
    assert len(estate.cloud.called("DeleteDBCluster")) == 3


def test_deletion_that_is_refused_is_told_with_the_command_that_removes_it(
    estate: Estate, capsys: pytest.CaptureFixture[str]
) -> None:
    estate.cloud.refuse("DeleteDBInstance", "AccessDenied", "no", status=403)
    with acquired(RDS) as copy:
        pass
    said = (
        f"the copy {copy.name} in AWS (us-east-1) was left behind: AWS does not let this identity do DeleteDBInstance. "
        f"Remove it with: ./inv db-drop {copy.name}"
    )
    assert (copy.dropped, copy.notes[-1], capsys.readouterr().err) == (False, said, f"{said}\n")
    estate.cloud.refuse("DeleteDBInstance", "AccessDenied", times=0)
    (remains,) = standing({"staging": RDS})
    remains.drop()
    assert estate.names() == BEFORE


def test_another_s_instance_of_the_same_name_is_left_alone(estate: Estate) -> None:
    name = copy_name("shop", "fix_it")
    theirs = tags.identifier(name)
    estate.rds.create_db_instance(
        DBInstanceIdentifier=theirs, Engine="postgres", DBInstanceClass="db.m5.large", AllocatedStorage=20
    )
    with pytest.raises(AwsError) as refused, engine_copy(FRESH, name, terms(), None, Told()):
        pass
    assert refused.value.reason == "DBInstanceAlreadyExists"
    assert estate.names() == BEFORE | {f"the instance {theirs}"}
    assert not estate.cloud.called("DeleteDBInstance")


def test_what_lost_its_tags_is_neither_listed_nor_dropped(estate: Estate) -> None:
    with acquired(RDS, keep=True) as copy:
        pass
    (remains,) = standing({"staging": RDS})
    (there,) = [found for found in resources.described(estate.rds, "instance") if found.lease]
    estate.rds.remove_tags_from_resource(ResourceName=there.arn, TagKeys=[tags.LEASE])
    assert standing({"staging": RDS}) == []
    with pytest.raises(NotOurs) as refused:
        remains.drop()
    assert (str(refused.value), refused.value.code) == (
        f"the instance {copy.name} does not bear our lease, so it is not deleted.\n"
        "  ./inv db-list shows what can be dropped.",
        ANSWER_IS_NO,
    )
    assert estate.names() == BEFORE | {f"the instance {copy.name}"}


@pytest.mark.full
def test_member_of_our_clone_that_is_another_s_is_not_deleted(estate: Estate) -> None:
    with acquired(AURORA, keep=True) as copy:
        pass
    estate.rds.create_db_instance(
        DBInstanceIdentifier="theirs",
        DBClusterIdentifier=copy.name,
        Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large",
    )
    (remains,) = standing({"staging": AURORA})
    with pytest.raises(NotOurs) as refused:
        remains.drop()
    assert refused.value.sentence == "the instance theirs does not bear our lease, so it is not deleted."
    assert "the instance theirs" in estate.names()


def test_standing_hears_of_an_account_that_does_not_answer_and_lists_the_others(estate: Estate) -> None:
    heard: list[GreenroomError] = []
    with acquired(RDS) as copy:
        targets = {"a": RDS.model_copy(update={"profile": "nobody"}), "b": RDS}
        assert [remains.name for remains in standing(targets, heard.append)] == [copy.name]
        with pytest.raises(AwsError):
            standing(targets)
    assert [error.sentence for error in heard] == ["there is no AWS profile nobody."]


def started(target: Any, **options: Any) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", COPYING, target.model_dump_json(exclude_defaults=False)]
    return subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def wait_until(true: Callable[[], object], child: subprocess.Popen[str], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert child.poll() is None, child.stderr.read() if child.stderr else "it has ended"
        assert time.monotonic() < deadline
        time.sleep(0.02)


WAITING = [
    pytest.param(AURORA, "DescribeDBClusters", "RestoreDBClusterToPointInTime", id="the cluster"),
    pytest.param(AURORA, "DescribeDBInstances", "CreateDBInstance", id="its instance"),
    pytest.param(RDS, "DescribeDBInstances", "RestoreDBInstanceFromDBSnapshot", id="the restored instance"),
    pytest.param(FRESH, "DescribeDBSnapshots", "CreateDBSnapshot", id="the fresh snapshot"),
]


def waiting(target: Any, describe: str, create: str, estate: Estate) -> subprocess.Popen[str]:
    """A process that waits for what it has made, and that AWS says to be on its way for ever."""
    estate.cloud.say(describe, "creating")
    child = started(target)

    def asked_twice() -> bool:
        actions = [call.action for call in list(estate.cloud.calls)]
        return create in actions and actions[actions.index(create) :].count(describe) >= 2

    wait_until(asked_twice, child)
    return child


@pytest.mark.full
@pytest.mark.parametrize(("target", "describe", "create"), WAITING)
def test_killed_while_waiting_is_found_by_its_tags_and_dropped(
    target: Any, describe: str, create: str, estate: Estate
) -> None:
    with waiting(target, describe, create, estate) as child:
        child.kill()
    (remains,) = standing({"staging": target})
    assert remains.state.startswith("creator died") and remains.to_be_reaped
    estate.cloud.say(describe, None)
    delete = {"cluster": "DeleteDBCluster", "instance": "DeleteDBInstance", "snapshot": "DeleteDBSnapshot"}
    kind = remains.where.partition(" ")[0]
    state = {"cluster": "InvalidDBClusterStateFault", "instance": "InvalidDBInstanceState"}
    estate.cloud.refuse(delete[kind], state.get(kind, "InvalidDBSnapshotState"), "it is being made", times=1)
    remains.drop()
    assert estate.names() == BEFORE and standing({"staging": target}) == []


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("target", "describe", "create"), [WAITING[1], WAITING[3]])
def test_signal_while_waiting_leaves_nothing(
    number: signal.Signals, target: Any, describe: str, create: str, estate: Estate
) -> None:
    with waiting(target, describe, create, estate) as child:
        child.send_signal(number)
        child.communicate(timeout=30)
    assert estate.names() == BEFORE


@pytest.mark.full
def test_second_signal_leaves_the_deletion_to_the_reaper(estate: Estate) -> None:
    """As AWS refuses to delete what it is still making, a person need not wait."""
    estate.cloud.refuse("DeleteDBInstance", "InvalidDBInstanceState", "it is being made")
    with waiting(*WAITING[2].values, estate) as child:  # type: ignore[arg-type]
        child.send_signal(signal.SIGINT)
        wait_until(lambda: len(estate.cloud.called("DeleteDBInstance")) > 1, child)
        child.send_signal(signal.SIGINT)
        _, complaint = child.communicate(timeout=30)
    (remains,) = standing({"staging": RDS})
    assert (
        f"the copy {remains.name} in AWS (us-east-1) was left behind: the deletion was interrupted. "
        f"Remove it with: ./inv db-drop {remains.name}\n"
    ) in complaint
    assert remains.to_be_reaped


IN_NAMESPACE = """
import sys
from pathlib import Path
from greenroom.config import AuroraTarget, RdsTarget
from greenroom.console import Silent
from greenroom.postgres.engines.acquiring import engine_copy
from greenroom.postgres.lease import Lease, copy_name
from greenroom.postgres.server import connect
from greenroom.secret import Secret
_, hosts, name, user = sys.argv
common = {"name": name, "user": user, "sslmode": "disable"}
for target in (
    AuroraTarget(kind="aurora-clone", cluster="prod", **common),
    RdsTarget(kind="rds-snapshot", instance="solo", **common),
):
    terms = Lease.new(branch="fix_it", source="x", hours=1)
    with engine_copy(target, copy_name(name, "fix_it"), terms, Secret(sys.stdin.readline().strip()), Silent()) as copy:
        Path(hosts).write_text(f"127.0.0.1 localhost {copy.address.host}\\n")
        with connect(copy.address) as connection:
            print(copy.method, *connection.execute("SELECT count(*) FROM goods").fetchone())
"""


def test_address_is_reached_by_the_name_that_aws_gives_it(estate: Estate, source: Shop, tmp_path: Path) -> None:
    """In a mount namespace, whose /etc/hosts says where that name is: the machine's own is not touched."""
    space = ["unshare", "--mount", "--map-root-user", "--user"]
    if subprocess.run([*space, "true"], capture_output=True).returncode != 0:
        assert "CI" not in os.environ, "CI must have mount namespaces"
        pytest.skip("this machine lets nobody have a mount namespace")
    hosts, script = tmp_path / "hosts", tmp_path / "copying.py"
    hosts.write_text("127.0.0.1 localhost\n")
    script.write_text(IN_NAMESPACE)
    mounted = f'mount --bind {hosts} /etc/hosts && exec "$0" "$@"'
    words = [*space, "sh", "-c", mounted, sys.executable, script, hosts, source.address.database, source.address.user]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environment, input=f"{PLANTED}\n{PLANTED}\n", capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"aurora clone {ROWS}\nrds snapshot {ROWS}\n", "")
    assert estate.names() == BEFORE


@pytest.mark.full
def test_no_secret_is_in_what_is_sent_or_told(estate: Estate, capfd: pytest.CaptureFixture[str]) -> None:
    progress = Told()
    with acquired(AURORA, progress) as copy:
        told = [repr(copy), *progress.steps, *progress.details, *map(repr, standing({"a": AURORA}))]
    sent = [value for call in estate.cloud.calls for value in call.parameters.values()]
    said = capfd.readouterr()
    for secret in (PLANTED, CREDENTIALS["AWS_SECRET_ACCESS_KEY"]):
        assert not any(secret in text for text in [*told, *sent, said.out, said.err])
