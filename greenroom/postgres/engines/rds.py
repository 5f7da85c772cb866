"""An RDS instance restored from a snapshot: the newest there is, or one made now.

The calls and their parameters are those of botocore's model of RDS (RestoreDBInstanceFromDBSnapshot, CreateDBSnapshot).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from greenroom import aws
from greenroom.config import RdsTarget
from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.postgres.engines import clones, resources
from greenroom.postgres.engines.clones import Held
from greenroom.postgres.engines.engine_copy import EngineCopy
from greenroom.postgres.engines.resources import Described, Resource
from greenroom.postgres.lease import Lease
from greenroom.secret import Secret

ENGINE = "postgres"
GP3_STRIPED_GB = 400  # from here on gp3 takes a rate of its own; below, naming one is refused (RDS user guide, storage)


@contextmanager
def rds_restored(
    target: RdsTarget, name: str, terms: Lease, password: Secret | None, progress: Progress, *, keep: bool
) -> Iterator[EngineCopy]:
    """Restore the instance, and delete what was restored when the context ends. Raises GreenroomError."""
    with closing(aws.client("rds", region=target.region, profile=target.profile)) as rds:
        progress.step(f"reading the RDS instance {target.instance}")
        source = _source(rds, target)
        with clones.held(rds, name, terms, progress, keep=keep) as held:
            snapshot = _fresh(held, target) if target.snapshot == "fresh" else _newest(rds, target)
            restored = _restored(held, target, source, snapshot)
            if snapshot.resource in held.made:
                held.discard(snapshot.resource)  # it has done its work: the instance stands
            endpoint = restored.facts["Endpoint"]
            held.copy = EngineCopy(
                clones.address_of(target, endpoint["Address"], endpoint["Port"], password),
                f"{target.instance} from a snapshot, in {rds.meta.region_name}",
                held.identifier,
                "rds snapshot",
                _notes(source, restored, snapshot),
            )
            yield held.copy


def _source(rds: Any, target: RdsTarget) -> Described:
    source = resources.describe(rds, Resource("instance", target.instance))
    if source is None:
        raise GreenroomError(
            f"there is no RDS instance {target.instance} in {rds.meta.region_name}.",
            f"`aws rds describe-db-instances --region {rds.meta.region_name}` lists them; check region and profile.",
        )
    clones.refuse_other_engine(source, ENGINE, 'An Aurora cluster is kind = "aurora-clone".')
    return source


def _newest(rds: Any, target: RdsTarget) -> Described:
    """The newest that is whole, automated or made by hand; one that a copy of ours made for itself is about to go."""
    found = resources.described(rds, "snapshot", DBInstanceIdentifier=target.instance)
    whole = [snapshot for snapshot in found if snapshot.status == "available" and snapshot.lease is None]
    if not whole:
        raise GreenroomError(
            f"{target.instance} has no snapshot that could be restored.",
            'Write snapshot = "fresh" into the target\'s table: then one is made, and deleted again.',
        )
    return max(whole, key=lambda snapshot: snapshot.facts["SnapshotCreateTime"])


def _fresh(held: Held, target: RdsTarget) -> Described:
    held.progress.step(f"making a snapshot of {target.instance}")
    snapshot = held.make(
        "snapshot",
        held.rds.create_db_snapshot,
        DBSnapshotIdentifier=held.identifier,
        DBInstanceIdentifier=target.instance,
    )
    return held.available(snapshot)


def _restored(held: Held, target: RdsTarget, source: Described, snapshot: Described) -> Described:
    """The instance, on the source's kind of storage; without backups, which would delay it."""
    facts = source.facts
    held.progress.step(f"restoring {target.instance} as {held.identifier}")
    instance = held.make(
        "instance",
        held.rds.restore_db_instance_from_db_snapshot,
        DBInstanceIdentifier=held.identifier,
        DBSnapshotIdentifier=snapshot.resource.identifier,
        DBInstanceClass=target.instance_class or facts["DBInstanceClass"],
        DBSubnetGroupName=facts.get("DBSubnetGroup", {}).get("DBSubnetGroupName"),
        VpcSecurityGroupIds=clones.security_groups(target, source),
        DBParameterGroupName=target.parameter_group
        or next((group["DBParameterGroupName"] for group in facts.get("DBParameterGroups", [])), None),
        EnableIAMDatabaseAuthentication=bool(facts.get("IAMDatabaseAuthenticationEnabled")),
        **storage_of(facts),
        BackupRetentionPeriod=0,
        MultiAZ=False,
        PubliclyAccessible=False,
        AutoMinorVersionUpgrade=False,
        CopyTagsToSnapshot=False,
        DeletionProtection=False,
    )
    return held.available(instance)


def storage_of(facts: dict[str, Any]) -> dict[str, Any]:
    """As the source has it: a restore that names none gets gp3, with other times than the source's."""
    kind = facts.get("StorageType")
    rated = kind in ("io1", "io2") or (kind == "gp3" and facts.get("AllocatedStorage", 0) >= GP3_STRIPED_GB)
    names = ("StorageType", *(("Iops",) if rated else ()), *(("StorageThroughput",) if rated and kind == "gp3" else ()))
    return {name: facts.get(name) for name in names}


def _notes(source: Described, restored: Described, snapshot: Described) -> list[str]:
    made: datetime = snapshot.facts["SnapshotCreateTime"]
    hours = (datetime.now(UTC) - made).total_seconds() / 3600
    here, there = (found.facts.get("DBInstanceClass") for found in (restored, source))
    return [
        f"restored from the snapshot {snapshot.resource.identifier} of {made:%Y-%m-%d %H:%M} UTC, {hours:.1f} h old",
        "RDS fetches a restored block when it is first read: what reads much takes longer than on the source",
        *([f"the copy's instance is {here}, the source's {there}: other times than there"] if here != there else []),
        *(["the source writes to two zones (Multi-AZ), the copy to one"] if source.facts.get("MultiAZ") else []),
    ]
