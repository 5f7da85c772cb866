"""Copies in AWS: Aurora and RDS as moto plays them, in front of a real PostgreSQL."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.engines import tags
from greenroom.postgres.engines.acquiring import standing
from greenroom.postgres.server import connect
from tests.integration.estate import AURORA, BEFORE, FRESH, RDS, ROOT, Estate, Told, acquired, estate, session, terms
from tests.integration.moto_server import CREDENTIALS, cloud
from tests.integration.shop import PLANTED, ROWS, Shop
from tests.integration.sources import source, state

pytestmark = pytest.mark.full

__all__ = ["cloud", "estate", "session", "source", "state"]


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


def test_parameter_group_of_the_table_goes_over_the_source_s(estate: Estate) -> None:
    """One without logical replication keeps the copy from receiving what is the source's."""
    words = {"DBParameterGroupFamily": "postgres9.3", "Description": "x"}
    estate.rds.create_db_parameter_group(DBParameterGroupName="quiet", **words)
    estate.rds.create_db_cluster_parameter_group(DBClusterParameterGroupName="quiet", **words)
    for target in (AURORA, RDS):
        with acquired(target.model_copy(update={"parameter_group": "quiet"})):
            pass
    (clone,) = estate.cloud.called("RestoreDBClusterToPointInTime")
    (restore,) = estate.cloud.called("RestoreDBInstanceFromDBSnapshot")
    assert clone.parameters["DBClusterParameterGroupName"] == restore.parameters["DBParameterGroupName"] == "quiet"


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
