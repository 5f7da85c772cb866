"""`status`: the service, its sides, where the traffic goes, and the newest deployment."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.guard import Guard
from greenroom.release import health, watching
from greenroom.release.deployer import Deployer
from greenroom.release.files import short
from greenroom.release.place import Place, Service, TaskSet


def told(guard: Guard, where: Place, service: Service, deployer: Deployer) -> Iterator[str]:
    """Line by line, as it is known. Raises AwsError."""
    yield where.shown
    yield f"  {service.status.lower()}, runs {short(service.running_now)}"
    for one in service.task_sets:
        yield f"  {_side(guard, one)}"
    newest = deployer.newest()
    if newest is None:
        yield "  nothing was deployed yet"
        return
    now = deployer.progress(newest)
    about = f": {now.description}" if now.description else ""
    yield f"deployment {now.id} to {short(now.task_definition)}, {now.state}{about}"
    if now.reason:
        yield f"  {now.reason}"
    yield from (f"  {line}" for line in watching.lines(guard, where, now))
    if now.rollback:
        yield f"  taken back by deployment {now.rollback}"


def _side(guard: Guard, one: TaskSet) -> str:
    starting = f", {one.pending} starting" if one.pending else ""
    targets = f"; targets: {health.of_targets(guard, one.target_group)}" if one.target_group else ""
    return f"{one.status.lower()} {short(one.task_definition)}: {one.running}/{one.desired} running{starting}{targets}"
