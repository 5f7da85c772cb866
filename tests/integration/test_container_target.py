"""`--server docker:postgres:18` with a target: masked, kept, named as db-list names it; and nothing of it stays."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker as sdk
import psycopg
import pytest

from greenroom import config as configuration
from greenroom.console import Silent
from greenroom.copies.acquiring import Acquired, CopyRequest, acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import inventory
from greenroom.postgres.containers import LABEL
from greenroom.postgres.embedded import Server
from tests.integration.container_images import needed
from tests.integration.shop import PLANTED, ROWS, Shop, shop

IMAGE = "postgres:18"

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("containers")]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SHOP_PASSWORD", PLANTED)


@pytest.fixture
def client() -> Iterator[sdk.DockerClient]:
    """Of an engine that has the image."""
    needed(IMAGE)
    with closing(sdk.from_env()) as asked:
        yield asked


@pytest.fixture
def source(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made


class Traces:
    """What a copy has on the engine, remembered while it stands."""

    def __init__(self, client: sdk.DockerClient, copy: Acquired) -> None:
        self._client = client
        found = client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
        mine = [each for each in found if copy.lease_id in each.labels[LABEL]]
        self.container = mine[0].id
        self.volumes = {mount["Name"] for each in mine for mount in each.attrs["Mounts"]}
        assert len(mine) == 1 and self.volumes

    def left(self) -> list[str]:
        standing = self._client.containers.list(all=True, ignore_removed=True)
        return [
            *(each.name for each in standing if each.id == self.container),
            *(volume.name for volume in self._client.volumes.list() if volume.name in self.volumes),
        ]


def wanted(source: Shop, **how: object) -> CopyRequest:
    address = source.address
    table = {"host": address.host, "port": address.port, "name": address.database, "user": address.user}
    table |= {"password_variable": "SHOP_PASSWORD", "masks": {"goods.name": "text"}}
    config = configuration.parse({"databases": {"staging": table}, "snapshots": {"limit_gb": 0}}, Path.cwd())
    given = {"server": f"docker:{IMAGE}", "target": "staging", "branch": "fix_it", **how}
    return CopyRequest(config=config, project=config.project, **given)  # type: ignore[arg-type]


def is_masked(connection: psycopg.Connection) -> None:
    assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
    assert connection.execute("SELECT count(*) FROM goods WHERE name LIKE 'thing %'").fetchone() == (0,)


def files_with(client: sdk.DockerClient, container: str, pattern: str) -> str:
    words = ["sh", "-c", f"grep -rlaE '{pattern}' /var/lib/postgresql || true"]
    code, said = client.containers.get(container).exec_run(words)
    assert code == 0
    return str(said.decode())


def test_target_in_a_container_is_masked_and_goes_with_it(source: Shop, client: sdk.DockerClient) -> None:
    before = source.state()
    with acquire(wanted(source), Silent()) as copy:
        traces = Traces(client, copy)
        with psycopg.connect(**copy.address.parameters) as migrating:
            assert migrating.info.user == source.owner
            is_masked(migrating)
            assert migrating.execute("SHOW timezone").fetchone() == ("Europe/Berlin",)
            assert migrating.execute("SHOW lock_timeout").fetchone() == ("2s",)
        assert (copy.kind, copy.label, copy.own_server) == ("dump copy", f"docker:{IMAGE}", True)
        assert copy.facts.settings["fsync"] == "on" and copy.facts.settings["wal_level"] == "replica"
        assert f"masked: public.goods.name as text ({ROWS:,} rows)" in copy.notes
    assert copy.dropped and source.state() == before
    assert traces.left() == []


def test_kept_target_in_a_container_runs_on_until_it_is_dropped(source: Shop, client: sdk.DockerClient) -> None:
    with acquire(wanted(source, keep=True), Silent()) as copy:
        traces = Traces(client, copy)
    standing = [found for found in inventory.survey(inventory.Scope()).standing if found.name == copy.drop_as]
    try:
        assert [(found.kind, found.state) for found in standing] == [("container", "kept")]
        assert copy.drop_as in traces.left() and not copy.dropped
        assert copy.environment and copy.environment.stat().st_mode & 0o777 == 0o600
        assert PLANTED not in copy.environment.read_text()
        words = ["sh", "-c", 'set -a; . "$1"; env', "sh", str(copy.environment)]
        told = subprocess.run(words, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
        given = dict(line.split("=", 1) for line in told.stdout.splitlines() if line.startswith("PG"))
        names = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD"}
        with psycopg.connect(**{name: given[variable] for name, variable in names.items()}) as app:  # type: ignore[arg-type]
            is_masked(app)
        assert copy.drop_as
        assert files_with(client, copy.drop_as, "what is sold"), "a comment, which stays as it is"
        assert files_with(client, copy.drop_as, "thing [0-9]+") == "", "an old value lies on the container's disk"
    finally:
        for found in standing:
            found.drop()
    assert traces.left() == [] and not copy.environment.exists()


def test_target_that_fails_in_a_container_leaves_nothing(source: Shop, client: sdk.DockerClient) -> None:
    """Though it was to be kept: the rehearsal on it could not be held."""
    made: list[Traces] = []

    def failing() -> None:
        with acquire(wanted(source, keep=True), Silent()) as copy:
            made.append(Traces(client, copy))
            raise GreenroomError("as asked")

    with pytest.raises(GreenroomError, match="as asked"):
        failing()
    assert [traces.left() for traces in made] == [[]]
