"""A server in a container is gone with its volume however it ends, or stays as long as its lease says."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import docker as sdk
import pytest

from greenroom.console import Silent
from greenroom.postgres import containers
from greenroom.postgres.server import CannotConnect, connect
from tests.integration.container_images import client, image, terms

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("containers")]

__all__ = ["client", "image"]
# holds a server until its standard input ends; prints its container's name
HOLDER = """
import sys
from greenroom.console import Silent
from greenroom.interrupts import raise_when_terminated
from greenroom.postgres import containers
from greenroom.postgres.lease import Lease
raise_when_terminated()
with containers.server(sys.argv[1], Lease.new(branch="fix", source="shop", hours=1), Silent()) as server:
    if sys.argv[2:] == ["keep"]:
        server.keep()
    print(server.container.name, flush=True)
    sys.stdin.read()
"""


def hold(image: str, *how: str) -> tuple[subprocess.Popen[str], str]:
    words = [sys.executable, "-c", HOLDER, image, *how]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdout
    return child, child.stdout.readline().strip()


def ended(child: subprocess.Popen[str], number: int) -> int:
    child.send_signal(number)
    child.communicate(timeout=60)
    return child.returncode


def volumes(client: sdk.DockerClient, name: str) -> list[str]:
    return [mount["Name"] for mount in client.containers.get(name).attrs["Mounts"]]


def exists(client: sdk.DockerClient, name: str) -> bool:
    return bool(client.containers.list(all=True, filters={"name": f"^{name}$"}))


def volume_exists(client: sdk.DockerClient, names: list[str]) -> bool:
    return any(volume.name in names for volume in client.volumes.list())


def test_server_that_is_lost_in_the_block_is_removed_with_its_volume(image: str, client: sdk.DockerClient) -> None:
    with containers.server(image, terms(), Silent()) as made:
        name = made.container.name
        kept_in = volumes(client, name)
        client.containers.get(name).kill()

        with pytest.raises(CannotConnect):
            connect(made.address)

    assert kept_in
    assert not exists(client, name) and not volume_exists(client, kept_in)


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_server_goes_when_its_task_is_stopped(image: str, client: sdk.DockerClient, number: int) -> None:
    child, name = hold(image)
    kept_in = volumes(client, name)

    ended(child, number)

    assert not exists(client, name) and not volume_exists(client, kept_in)


def test_server_of_a_killed_task_is_found_by_its_lease_and_dropped(image: str, client: sdk.DockerClient) -> None:
    child, name = hold(image)
    kept_in = volumes(client, name)
    alive = {found.name: found for found in containers.standing()}[name]

    assert ended(child, signal.SIGKILL) == -signal.SIGKILL
    found = {found.name: found for found in containers.standing()}[name]

    assert (alive.state, alive.to_be_reaped) == ("alive", False)
    assert (found.kind, found.where, found.state, found.to_be_reaped) == ("container", "docker", "creator died", True)
    assert found.lease and (found.lease.pid, found.lease.branch) == (child.pid, "fix")
    found.drop()
    assert not exists(client, name) and not volume_exists(client, kept_in)
    found.drop()  # that it is gone already is no error


@pytest.mark.full
def test_server_that_is_kept_outlives_its_task_until_its_lease_is_over(image: str, client: sdk.DockerClient) -> None:
    child, name = hold(image, "keep")
    try:
        ended(child, signal.SIGKILL)
        client.containers.get(name).stop(timeout=10)

        found = {found.name: found for found in containers.standing()}[name]
        assert name.startswith("greenroom-kept-")
        assert (found.state, found.to_be_reaped) == ("kept, stopped", False)
        assert found.lease and found.lease.kept

        found.drop()
        assert not exists(client, name)
    finally:
        for left in client.containers.list(all=True, filters={"name": name}):
            left.remove(v=True, force=True)


@pytest.mark.full
def test_expired_server_is_to_be_reaped_though_it_was_kept(
    image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with containers.server(image, terms(hours=-1), Silent()) as made:
        name = made.keep()

    variables = containers.variables_file(name)
    variables.parent.mkdir(exist_ok=True)
    variables.write_text("PGPASSWORD=...")

    found = {found.name: found for found in containers.standing()}[name]
    found.drop()

    assert (found.state, found.to_be_reaped) == ("expired", True)
    assert not variables.exists()
