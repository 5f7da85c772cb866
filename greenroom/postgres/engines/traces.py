"""What bears a lease in AWS, in the accounts and regions of the configured targets, and what commands left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing

from greenroom import aws
from greenroom.config import AnyTarget, AuroraTarget, RdsTarget
from greenroom.errors import GreenroomError
from greenroom.postgres.engines import command, intents, resources
from greenroom.postgres.engines.intents import Noted
from greenroom.postgres.engines.resources import Described, Resource
from greenroom.postgres.lease import Lease
from greenroom.postgres.remains import Remains

Account = tuple[str | None, str | None]  # region and profile, as the targets name them


def in_aws(databases: Mapping[str, AnyTarget], on_refusal: Callable[[GreenroomError], None] | None) -> list[Remains]:
    """Clusters with their instances, instances and snapshots. Without `on_refusal`, raises AwsError."""
    found: dict[str, Remains] = {}
    for account in _accounts(databases):
        try:
            found |= _of_account(account)
        except GreenroomError as error:
            if on_refusal is None:
                raise
            on_refusal(error)
    return sorted(found.values(), key=lambda remains: remains.made)


def of_commands() -> list[Remains]:
    """Copies whose `release` has not succeeded yet."""
    return [_of_command(noted) for noted in intents.noted()]


def _accounts(databases: Mapping[str, AnyTarget]) -> Iterable[Account]:
    aws_targets = (target for target in databases.values() if isinstance(target, AuroraTarget | RdsTarget))
    return dict.fromkeys((target.region, target.profile) for target in aws_targets)


def _of_account(account: Account) -> dict[str, Remains]:
    """By ARN: two profiles may lead to one account."""
    region, profile = account
    with closing(aws.client("rds", region=region, profile=profile)) as rds:
        clusters = list(resources.described(rds, "cluster"))
        instances = list(resources.described(rds, "instance"))
        snapshots = list(resources.described(rds, "snapshot", SnapshotType="manual"))
    there = {cluster.resource.identifier for cluster in clusters if cluster.lease}
    alone = [found for found in instances if found.facts.get("DBClusterIdentifier") not in there]
    borne = [found for found in [*clusters, *alone, *snapshots] if found.lease and found.status != "deleting"]
    return {found.arn: _remains(found, account, instances) for found in borne}


def _remains(found: Described, account: Account, instances: list[Described]) -> Remains:
    lease = found.lease
    assert lease is not None, "what bears none is nobody's to drop"
    identifier = found.resource.identifier
    members = [i.resource for i in instances if i.facts.get("DBClusterIdentifier") == identifier]
    parts = [*(members if found.resource.kind == "cluster" else []), found.resource]
    _, _, _, region, number, _ = found.arn.split(":", 5)
    return Remains(
        kind="aws",
        name=identifier,
        where=f"{found.resource.kind} in {region} ({number})",
        made=lease.made,
        state=_state(lease, found.status),
        to_be_reaped=lease.over,
        drop=lambda: _drop(account, parts, lease.id),
        lease=lease,
    )


def _state(lease: Lease, status: str) -> str:
    return lease.state if status == "available" else f"{lease.state}, {status}"


def _drop(account: Account, parts: Iterable[Resource], lease_id: str) -> None:
    region, profile = account
    with closing(aws.client("rds", region=region, profile=profile)) as rds:
        for part in parts:
            resources.delete(rds, part, lease_id)


def _of_command(noted: Noted) -> Remains:
    lease, busy = noted.intent.lease, noted.busy
    return Remains(
        kind="command",
        name=noted.intent.name,
        where=noted.intent.release[0],
        made=lease.made,
        state="its command still runs" if busy and lease.abandoned else lease.state,
        to_be_reaped=lease.over and not busy,
        drop=lambda: command.release(noted),
        lease=lease,
    )
