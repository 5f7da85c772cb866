"""Clusters, instances and snapshots of RDS: described, and deleted when they bear the lease."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from greenroom.aws import AwsError, refusals
from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.postgres.engines import tags
from greenroom.postgres.engines.waiting import until_accepted
from greenroom.postgres.lease import Lease

Kind = Literal["cluster", "instance", "snapshot"]


class NotOurs(GreenroomError):
    """It bears another lease, or none."""


@dataclass(frozen=True)
class _Calls:
    """The names that RDS's interface has for a kind of thing."""

    describe: str
    listed: str
    identifier: str
    status: str
    arn: str
    delete: str
    how: dict[str, bool]


_NO_TRACE = {"SkipFinalSnapshot": True, "DeleteAutomatedBackups": True}
_CALLS: dict[Kind, _Calls] = {
    "cluster": _Calls(
        "describe_db_clusters",
        "DBClusters",
        "DBClusterIdentifier",
        "Status",
        "DBClusterArn",
        "delete_db_cluster",
        _NO_TRACE,
    ),
    "instance": _Calls(
        "describe_db_instances",
        "DBInstances",
        "DBInstanceIdentifier",
        "DBInstanceStatus",
        "DBInstanceArn",
        "delete_db_instance",
        _NO_TRACE,
    ),
    "snapshot": _Calls(
        "describe_db_snapshots",
        "DBSnapshots",
        "DBSnapshotIdentifier",
        "Status",
        "DBSnapshotArn",
        "delete_db_snapshot",
        {},
    ),
}


@dataclass(frozen=True)
class Resource:
    """One of them, by its identifier in a region."""

    kind: Kind
    identifier: str

    def __str__(self) -> str:
        return f"the {self.kind} {self.identifier}"


@dataclass(frozen=True)
class Described:
    """What AWS says of one; `facts` are as its interface has them."""

    resource: Resource
    facts: dict[str, Any]

    @property
    def status(self) -> str:
        """`available`, `creating`, `deleting`, ..."""
        return str(self.facts[_CALLS[self.resource.kind].status])

    @property
    def arn(self) -> str:
        """With region and account in it."""
        return str(self.facts[_CALLS[self.resource.kind].arn])

    @property
    def lease(self) -> Lease | None:
        """The one that its tags hold."""
        return tags.lease_of(self.facts.get("TagList"))


def describe(rds: Any, resource: Resource) -> Described | None:
    """None when there is no such thing. Raises AwsError."""
    calls = _CALLS[resource.kind]
    try:
        with refusals():
            answer = getattr(rds, calls.describe)(**{calls.identifier: resource.identifier})
    except AwsError as error:
        if error.why == "not found":
            return None
        raise
    return Described(resource, answer[calls.listed][0]) if answer[calls.listed] else None


def described(rds: Any, kind: Kind, **only: str) -> Iterator[Described]:
    """All of a kind, page by page. Raises AwsError."""
    calls = _CALLS[kind]
    with refusals():
        for page in rds.get_paginator(calls.describe).paginate(**only):
            for facts in page[calls.listed]:
                yield Described(Resource(kind, facts[calls.identifier]), facts)


def delete(
    rds: Any, resource: Resource, lease_id: str, on_refusal: Callable[[AwsError], None] = lambda _error: None
) -> None:
    """Without a final snapshot and automated backups, once AWS lets itself be told so. Gone already: all is well.

    AWS deletes nothing that it is still making: `on_refusal` hears of each attempt that came too early.
    Raises NotOurs (exit code 1) for what does not bear this lease, AwsError when AWS refuses.
    """

    def attempt() -> None:
        there = describe(rds, resource)
        if there is None or there.status == "deleting":
            return
        if there.lease is None or there.lease.id != lease_id:
            raise NotOurs(
                f"{resource} does not bear our lease, so it is not deleted.",
                "./inv db-list shows what can be dropped.",
                code=ANSWER_IS_NO,
            )
        _delete(rds, resource)

    until_accepted(attempt, on_refusal)


def _delete(rds: Any, resource: Resource) -> None:
    calls = _CALLS[resource.kind]
    try:
        with refusals():
            getattr(rds, calls.delete)(**{calls.identifier: resource.identifier}, **calls.how)
    except AwsError as error:
        if error.why != "not found":
            raise
