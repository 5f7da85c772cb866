"""A server in a container, on the real engine: as we set it, and on loopback alone; or a sentence why there is none."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator

import docker as sdk
import pytest
from psycopg import sql

from greenroom import docker
from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.postgres import cluster, containers, postmaster
from greenroom.postgres.containers import ContainerServer
from greenroom.postgres.server import CannotConnect, connect
from tests.integration.container_images import client, image, terms

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("containers")]

__all__ = ["client", "image"]


@pytest.fixture(scope="module")
def server(image: str) -> Iterator[ContainerServer]:
    with containers.server(image, terms(), Silent()) as made:
        yield made


def shown(server: ContainerServer, *names: str) -> list[str]:
    with connect(server.address) as connection:
        return [str(connection.execute(f"SHOW {name}".encode()).fetchone()[0]) for name in names]  # type: ignore[index]


def test_server_restores_without_durability_and_then_starts_anew_with_it_and_the_sources_settings(
    server: ContainerServer, image: str
) -> None:
    assert server.label == f"docker:{image}"
    assert server.version_num // 10000 == int(image.partition(":")[2])
    assert shown(server, "fsync", "full_page_writes", "autovacuum", "TimeZone", "data_checksums") == [
        *("off", "off", "off"),
        *("UTC", "off"),
    ]
    with connect(server.address) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 10000) AS n")
    before = server.address

    refused = server.durable({"work_mem": "12MB", "TimeZone": "Europe/Berlin"})

    assert refused == []
    assert server.address == before
    assert shown(server, "fsync", "full_page_writes", "autovacuum", "wal_level", "work_mem", "TimeZone") == [
        *("on", "on", "on"),
        *("replica", "12MB", "Europe/Berlin"),
    ]
    with connect(server.address) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (10000,)


def test_superuser_has_a_name_that_no_source_has(server: ContainerServer) -> None:
    with connect(server.address) as connection:
        found = connection.execute("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'").fetchall()
        databases = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate").fetchall()

    assert found == [(cluster.SUPERUSER,)]
    assert databases == [("postgres",)]


def test_server_listens_on_loopback_alone(server: ContainerServer, client: sdk.DockerClient) -> None:
    published = client.containers.get(server.container.name).attrs["NetworkSettings"]["Ports"]

    assert published == {"5432/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(server.address.port)}]}


def test_password_is_not_what_docker_can_show(server: ContainerServer, client: sdk.DockerClient) -> None:
    made = client.containers.get(server.container.name)
    assert server.address.password
    password = server.address.password.reveal()
    first = made.exec_run(["cat", "/greenroom-password"]).output.decode()

    assert password not in json.dumps(made.attrs)
    assert first not in json.dumps(made.attrs) and first != password
    with pytest.raises(CannotConnect) as refused:
        connect(server.address.as_role(server.address.user, type(server.address.password)(first)))
    assert refused.value.sqlstate == "28P01"


def test_settings_that_this_server_refuses_are_told(server: ContainerServer) -> None:
    assert server.durable({"work_mem": "12XB", "rds.force_ssl": "on"}) == ["work_mem", "rds.force_ssl"]


def test_server_that_a_setting_keeps_from_starting_goes_on_without_it(server: ContainerServer) -> None:
    refused = server.durable({"shared_preload_libraries": "no_such_library", "work_mem": "13MB"})

    assert refused == ["shared_preload_libraries"]
    assert shown(server, "work_mem") == ["13MB"]


@pytest.mark.full
def test_server_that_does_not_start_says_which_setting_is_wrong(image: str) -> None:
    with containers.server(image, terms(), Silent()) as made, pytest.raises(GreenroomError) as refused:
        made._become({"work_mem": "12XB"})

    assert refused.value.sentence == (
        f'the server in a container of {image} did not start: LOG:  invalid value for parameter "work_mem": "12XB"'
    )


def test_container_that_is_removed_while_it_is_looked_at_does_not_run(server: ContainerServer, image: str) -> None:
    with containers.server(image, terms(), Silent()) as made:
        made.container.remove()

        assert not made.container.running
    assert server.container.running


@pytest.mark.full
def test_port_that_is_taken_in_between_is_another_one_next_time(
    server: ContainerServer, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = iter([server.address.port, postmaster.free_port()])
    monkeypatch.setattr(containers, "free_port", lambda: next(ports))

    with containers.server(image, terms(), Silent()) as other, connect(other.address) as connection:
        assert connection.info.port != server.address.port


def test_roles_name_of_any_form_survives_a_restart(server: ContainerServer) -> None:
    with connect(server.address) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier("Odd Rolé")))

    server.durable()

    with connect(server.address) as connection:
        found = connection.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'Odd Rolé'").fetchone()
    assert found == (1,)


def test_image_that_cannot_be_pulled_is_told_with_the_next_step(image: str) -> None:
    missing = "127.0.0.1:1/nothing:1"  # a registry that nobody runs

    with pytest.raises(GreenroomError) as refused, containers.server(missing, terms(), Silent()):
        raise AssertionError

    assert refused.value.sentence.startswith(f"the image {missing} is not here and cannot be pulled: ")
    assert refused.value.hint == (
        f"Check its name; or load it (docker load -i FILE), and see that `docker image ls` shows {missing}."
    )


def test_image_of_something_else_is_refused(image: str, client: sdk.DockerClient) -> None:
    name = "greenroom-test-empty:1"
    empty = io.BytesIO()
    with tarfile.open(fileobj=empty, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("nothing"), io.BytesIO())
    client.api.import_image_from_data(empty.getvalue(), repository="greenroom-test-empty", tag="1")

    try:
        with pytest.raises(GreenroomError) as refused, containers.server(name, terms(), Silent()):
            raise AssertionError
    finally:
        client.images.remove(name)

    assert refused.value.sentence == f"{name} is no image of PostgreSQL like the official one: it sets no PGDATA."


def test_engine_that_does_not_answer_holds_nothing_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    where = "tcp://127.0.0.1:1"  # of a Unix socket that is not there the SDK leaves its own end open
    monkeypatch.setenv("DOCKER_HOST", where)

    with pytest.raises(GreenroomError) as refused, containers.server("postgres:17", terms(), Silent()):
        raise AssertionError

    assert refused.value.sentence == f"no Docker engine answers at {where}: does it run?"
    assert refused.value.hint == (
        "Start it (systemctl start docker), or set DOCKER_HOST; or restore with --server embedded."
    )
    assert containers.standing() == []


def test_engine_on_another_machine_is_refused(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker.Engine, "local", property(lambda _: False))

    with pytest.raises(GreenroomError) as refused, containers.server(image, terms(), Silent()):
        raise AssertionError

    assert refused.value.sentence == (
        "Docker's engine is on another machine, and a server in it can only be reached from there."
    )
