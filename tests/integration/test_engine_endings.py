"""Copies in AWS are deleted however it ends, stay if they are kept, and are listed; what is another's is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.aws import AwsError
from greenroom.errors import ANSWER_IS_NO, GreenroomError, Terminated
from greenroom.postgres.engines import resources, tags
from greenroom.postgres.engines.acquiring import engine_copy, standing
from greenroom.postgres.engines.resources import NotOurs
from greenroom.postgres.lease import copy_name
from tests.integration.estate import AURORA, BEFORE, FRESH, RDS, Estate, Told, acquired, estate, session, terms
from tests.integration.moto_server import cloud
from tests.integration.sources import state

pytestmark = pytest.mark.full

__all__ = ["cloud", "estate", "session", "state"]
ENGINES = [
    pytest.param(AURORA, id="aurora"),
    pytest.param(RDS, id="rds", marks=pytest.mark.full),
    pytest.param(FRESH, id="fresh", marks=pytest.mark.full),
]


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
