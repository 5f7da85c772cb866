"""Copies in AWS, as a person types them: Aurora and RDS as moto plays them, in front of a real PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from greenroom.postgres import lease
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.engines import tags
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import connect
from tests.integration.bastion import bastion, needed
from tests.integration.estate import BEFORE, Estate, estate, session
from tests.integration.moto_server import CREDENTIALS, cloud
from tests.integration.projects import PASSWORD, shop
from tests.integration.test_command_targets import document, report
from tests.integration.test_target_command import Desk, desk_of

pytestmark = pytest.mark.full

__all__ = ["cloud", "estate", "session"]
KINDS = [
    pytest.param(('kind = "aurora-clone"', 'cluster = "prod"'), id="aurora"),
    pytest.param(('kind = "rds-snapshot"', 'instance = "solo"'), id="rds"),
]
AURORA = KINDS[0].values[0]
METHODS = {"aurora-clone": "aurora clone", "rds-snapshot": "rds snapshot"}


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def clone(server18: Server, tmp_path: Path) -> Iterator[Address]:
    """The database on whatever the engine makes: moto makes nothing, so it stands already, and stays afterwards."""
    with shop(server18, tmp_path / "initial", rows=500, name="cloudshop") as address:
        yield address


def desk_in(tmp_path: Path, clone: Address, estate: Estate, kind: Any, *lines: str, home: Path | None = None) -> Desk:
    """With a target `production` of that kind; `staging` is a server that nobody reaches."""
    estate.cloud.answer_at("localhost")
    if home is None:
        home = tmp_path / "desk" / "home"
        home.mkdir(parents=True)
    told = [
        "[tool.greenroom.databases.production]",
        *kind,
        f'name = "{clone.database}"',
        f'user = "{clone.user}"',
        'password_variable = "PRODUCTION_PASSWORD"',
        'region = "us-east-1"',
        *lines,
    ]
    desk = desk_of(tmp_path / "desk", replace(clone, port=1), home, *told)
    variables = {**CREDENTIALS, "AWS_ENDPOINT_URL": estate.cloud.url, "PRODUCTION_PASSWORD": PASSWORD}
    return replace(desk, variables=variables)


def state(clone: Address) -> tuple[list[str], Lease | None, set[str]]:
    """Of the database of the clone: migrations, the lease, a few values of a column."""
    with connect(clone) as connection:
        applied = connection.execute("SELECT name FROM django_migrations WHERE app = 'shop' ORDER BY id").fetchall()
        words = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        row = connection.execute(words).fetchone()
        emails = connection.execute("SELECT email FROM shop_customer").fetchall()
    return [name for (name,) in applied], Lease.read(row[0] if row else None), {email for (email,) in emails}


@contextmanager
def nothing_stays(desk: Desk, estate: Estate) -> Iterator[None]:
    yield
    assert estate.names() == BEFORE
    assert desk.files_with(PASSWORD) == desk.files_with(CREDENTIALS["AWS_SECRET_ACCESS_KEY"]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_engine_s_copy_is_masked_rehearsed_and_deleted(
    kind: tuple[str, ...], tmp_path: Path, clone: Address, estate: Estate
) -> None:
    desk = desk_in(tmp_path, clone, estate, kind, "sensitive = true", 'masks = { "shop_customer.email" = "email" }')
    with nothing_stays(desk, estate):
        done = desk.run("migrate-rehearse", "--target", "production")
        assert done.returncode == 0, done.stderr
    copy = document(desk)["copy"]
    assert (copy["kind"], copy["dropped"]) == ("clone", True)
    assert copy["method"] == METHODS[kind[0].split('"')[1]]
    assert re.fullmatch(r"greenroom-cloudshop-detached-[0-9a-f]{6}", str(copy["name"]))
    held = {drill["name"]: drill["status"] for drill in document(desk)["drills"]}
    assert held["back"] == "passed", "on clones of a database whose name is not the copy's"
    assert held["lock-queue"] == "failed" and "broken off" not in held.values(), "the migration has no lock_timeout"
    masked = "masked: public.shop_customer.email as email (50 rows)"
    assert masked in document(desk)["fidelity"]["notes"] and masked in report(desk)
    migrations, borne, emails = state(clone)
    assert migrations == ["0001_initial", "0002_change"], "it ran on what the engine made"
    assert borne and borne.engine and borne.database == clone.database
    assert all(email.endswith("@example.invalid") for email in emails)


@pytest.mark.parametrize("kind", KINDS)
def test_engine_s_copy_through_a_vpn_host_is_rehearsed(
    kind: tuple[str, ...], tmp_path: Path, clone: Address, estate: Estate
) -> None:
    """The app is told the tunnel's end: Django's settings have no place for another address than the name's."""
    needed()
    with bastion(tmp_path / "bastion") as host:
        desk = desk_in(tmp_path, clone, estate, kind, f'via = "{host.via}"', home=host.home)
        with nothing_stays(desk, estate):
            done = desk.run("migrate-rehearse", "--target", "production", "--drills", "none")
            assert done.returncode == 0, done.stderr
        host.settle()
    assert document(desk)["copy"]["dropped"] is True
    told = f"what runs on it goes through {host.via}: each statement's time holds the way there and back"
    assert told in document(desk)["fidelity"]["notes"]
    assert state(clone)[0] == ["0001_initial", "0002_change"]


@pytest.mark.parametrize("words", [("db-pull",), ("migrate-rehearse", "--keep", "--drills", "none")])
def test_kept_copy_of_an_engine_is_listed_and_deleted_by_its_name(
    words: tuple[str, ...], tmp_path: Path, clone: Address, estate: Estate
) -> None:
    desk = desk_in(tmp_path, clone, estate, AURORA)
    with nothing_stays(desk, estate):
        made = desk.run(*words, "--target", "production")
        assert made.returncode == 0, made.stderr
        (name,) = {found.split()[-1] for found in estate.names() - BEFORE if found.startswith("the cluster ")}
        assert f"./inv db-drop {name} --target production" in made.stdout
        assert re.search(rf"^{name} .* kept$", desk.run("db-list").stdout, re.M)
        assert desk.run("db-reap", "--yes").returncode == 0 and estate.names() != BEFORE
        dropped = desk.run("db-drop", name, "--target", "production", "--yes")
        assert (dropped.returncode, dropped.stdout.splitlines()[-1]) == (0, f"dropped {name}"), dropped.stderr


def test_database_of_an_engine_s_copy_is_never_dropped_as_a_database(
    tmp_path: Path, clone: Address, estate: Estate
) -> None:
    """Its lease is over, and whoever looks at its server reads it there."""
    desk = desk_in(tmp_path, clone, estate, AURORA)
    assert desk.run("migrate-rehearse", "--target", "production", "--drills", "none").returncode == 0
    _, borne, _ = state(clone)
    assert borne and borne.over
    there = replace(desk, variables={"PGPASSWORD": PASSWORD})
    url = ("--url", f"postgresql://{clone.user}@{clone.server}/postgres")
    assert there.run("db-reap", *url, "--yes").stdout == "Nothing is to be dropped.\n"
    assert there.run("db-drop", clone.database, *url, "--yes").returncode == 1
    with connect(clone) as connection:
        assert clone.database in [found.name for found in lease.leased(connection)]


@pytest.mark.parametrize("words", [("db-pull",), ("migrate-rehearse", "--keep")])
def test_sensitive_engine_s_copy_is_not_kept_whatever_is_masked(
    words: tuple[str, ...], tmp_path: Path, clone: Address, estate: Estate
) -> None:
    masks = 'masks = { "shop_customer.email" = "email" }'
    desk = desk_in(tmp_path, clone, estate, AURORA, "sensitive = true", masks)
    done = desk.run(*words, "--target", "production")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "production is sensitive, and a copy that its engine makes holds all of it until it is masked: none is kept.\n"
    )
    assert not estate.cloud.calls, "AWS was not even asked"


def test_mask_that_does_not_fit_deletes_the_copy_though_it_should_be_kept(
    tmp_path: Path, clone: Address, estate: Estate
) -> None:
    desk = desk_in(tmp_path, clone, estate, AURORA, 'masks = { "shop_customer.mail" = "email" }')
    with nothing_stays(desk, estate):
        done = desk.run("db-pull", "--target", "production")
        assert done.returncode == 2
        assert 'masks."shop_customer.mail"' in done.stderr and "has no column mail" in done.stderr
    migrations, borne, _ = state(clone)
    assert (migrations, borne) == (["0001_initial"], None)


def test_refused_deletion_is_told_and_reaped_later(tmp_path: Path, clone: Address, estate: Estate) -> None:
    desk = desk_in(tmp_path, clone, estate, AURORA)
    estate.cloud.refuse("DeleteDBInstance", "AccessDenied", "no", status=403)
    done = desk.run("migrate-rehearse", "--target", "production", "--drills", "none")
    assert document(desk)["copy"]["dropped"] is False
    assert "was left behind" in done.stderr and "./inv db-drop greenroom-cloudshop-" in done.stderr
    estate.cloud.refuse("DeleteDBInstance", "AccessDenied", times=0)
    assert re.search(r"^greenroom-cloudshop-\S+ .* creator died$", desk.run("db-list").stdout, re.M)
    reaped = desk.run("db-reap", "--yes")
    assert reaped.returncode == 0, reaped.stdout + reaped.stderr
    assert estate.names() == BEFORE
    assert tags.LEASE in estate.cloud.called("RestoreDBClusterToPointInTime")[0].tags
