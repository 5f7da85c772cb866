"""A copy in AWS whose process is killed or stopped while it waits: nothing stays, or it is found by its tags."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from greenroom.postgres.engines.acquiring import standing
from tests.integration.estate import AURORA, BEFORE, FRESH, RDS, ROOT, Estate, estate, session
from tests.integration.moto_server import cloud
from tests.integration.sources import state

pytestmark = pytest.mark.full

__all__ = ["cloud", "estate", "session", "state"]
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
