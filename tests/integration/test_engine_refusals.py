"""What AWS refuses, does not have or cannot start is one sentence, and nothing of the copy stays."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.aws import AwsError
from greenroom.errors import GreenroomError
from greenroom.postgres.engines import resources
from tests.integration.estate import AURORA, BEFORE, FRESH, RDS, Estate, Told, acquired, estate, session
from tests.integration.moto_server import cloud
from tests.integration.sources import state

pytestmark = pytest.mark.full

__all__ = ["cloud", "estate", "session", "state"]


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
