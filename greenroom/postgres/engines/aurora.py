"""A copy-on-write clone of an Aurora cluster: minutes at any size, because no page is copied before it is written.

The calls and their parameters are those of botocore's model of RDS (RestoreDBClusterToPointInTime, CreateDBInstance).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from greenroom import aws
from greenroom.config import AuroraTarget
from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.postgres.engines import clones, resources
from greenroom.postgres.engines.clones import Held
from greenroom.postgres.engines.engine_copy import EngineCopy
from greenroom.postgres.engines.resources import Described, Resource
from greenroom.postgres.lease import Lease
from greenroom.secret import Secret

ENGINE = "aurora-postgresql"
SHORTEST_RETENTION_DAYS = 1  # of backups: Aurora knows no zero


@contextmanager
def aurora_clone(
    target: AuroraTarget, name: str, terms: Lease, password: Secret | None, progress: Progress, *, keep: bool
) -> Iterator[EngineCopy]:
    """Clone the cluster, give the clone an instance, and delete both when the context ends. Raises GreenroomError."""
    with closing(aws.client("rds", region=target.region, profile=target.profile)) as rds:
        progress.step(f"reading the Aurora cluster {target.cluster}")
        source = _source(rds, target)
        writer = _writer(rds, source)
        with clones.held(rds, name, terms, progress, keep=keep) as held:
            clone = _cloned(held, target, source, writer)
            held.copy = EngineCopy(
                clones.address_of(target, clone.facts["Endpoint"], clone.facts["Port"], password),
                f"an Aurora clone of {target.cluster} in {rds.meta.region_name}",
                held.identifier,
                "aurora clone",
                _notes(target, writer),
            )
            yield held.copy


def _source(rds: Any, target: AuroraTarget) -> Described:
    source = resources.describe(rds, Resource("cluster", target.cluster))
    if source is None:
        raise GreenroomError(
            f"there is no cluster {target.cluster} in {rds.meta.region_name}.",
            f"`aws rds describe-db-clusters --region {rds.meta.region_name}` lists them; check region and profile.",
        )
    clones.refuse_other_engine(source, ENGINE, 'A PostgreSQL instance outside Aurora is kind = "rds-snapshot".')
    return source


def _writer(rds: Any, source: Described) -> dict[str, Any]:
    """What the source's writer is; empty where the cluster has none."""
    members = source.facts.get("DBClusterMembers", [])
    writers = [member["DBInstanceIdentifier"] for member in members if member["IsClusterWriter"]]
    found = resources.describe(rds, Resource("instance", writers[0])) if writers else None
    return found.facts if found else {}


def _cloned(held: Held, target: AuroraTarget, source: Described, writer: dict[str, Any]) -> Described:
    """The clone with an instance that answers. An encrypted source's key is its clone's too, when none is named."""
    facts = source.facts
    held.progress.step(f"cloning the Aurora cluster {target.cluster} as {held.identifier}")
    cluster = held.make(
        "cluster",
        held.rds.restore_db_cluster_to_point_in_time,
        DBClusterIdentifier=held.identifier,
        SourceDBClusterIdentifier=target.cluster,
        RestoreType="copy-on-write",
        UseLatestRestorableTime=True,
        DBSubnetGroupName=facts.get("DBSubnetGroup"),
        VpcSecurityGroupIds=clones.security_groups(target, source),
        DBClusterParameterGroupName=target.parameter_group or facts.get("DBClusterParameterGroup"),
        Port=facts.get("Port"),
        EnableIAMDatabaseAuthentication=bool(facts.get("IAMDatabaseAuthenticationEnabled")),
        ServerlessV2ScalingConfiguration=scaling_of(facts),
        BackupRetentionPeriod=SHORTEST_RETENTION_DAYS,
        CopyTagsToSnapshot=False,
        DeletionProtection=False,
    )
    held.available(cluster)  # before that, it takes no instance
    held.progress.step(f"starting {target.instance_class} for {held.identifier}")
    instance = held.make(
        "instance",
        held.rds.create_db_instance,
        f"{held.identifier}-1",
        DBInstanceIdentifier=f"{held.identifier}-1",
        DBClusterIdentifier=held.identifier,
        DBInstanceClass=target.instance_class,
        Engine=ENGINE,
        DBParameterGroupName=next(
            (group["DBParameterGroupName"] for group in writer.get("DBParameterGroups", [])), None
        ),
        PubliclyAccessible=False,
        AutoMinorVersionUpgrade=False,
        CopyTagsToSnapshot=False,
    )
    held.available(instance)
    return held.available(cluster)


def scaling_of(facts: dict[str, Any]) -> dict[str, Any] | None:
    """How far an instance of class db.serverless grows: as the source's do."""
    given = facts.get("ServerlessV2ScalingConfiguration") or {}
    return {key: given[key] for key in ("MinCapacity", "MaxCapacity", "SecondsUntilAutoPause") if key in given} or None


def _notes(target: AuroraTarget, writer: dict[str, Any]) -> list[str]:
    of_source = writer.get("DBInstanceClass")
    other = f"the clone's instance is {target.instance_class}, the source's writer {of_source}: other times than there"
    return [
        "an Aurora clone shares the source's storage: the first write to a page copies it; its cache starts empty",
        *([other] if of_source and of_source != target.instance_class else []),
    ]
