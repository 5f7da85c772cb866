"""Variables of libpq in a person's shell: none reaches a server of ours, and those that secure hold for others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server
from tests.integration.projects import PASSWORD, shop, write_project
from tests.own_places import surroundings

HARMFUL = {
    "PGCHANNELBINDING": "require",
    "PGGSSENCMODE": "require",
    "PGHOSTADDR": "127.0.0.9",
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PGREQUIREPEER": "nobody-of-ours",
    "PGSERVICE": "nowhere",
    "PGSSLMODE": "verify-full",
    "PGTARGETSESSIONATTRS": "read-only",
}


@pytest.fixture(scope="module")
def source(server18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server18, tmp_path_factory.mktemp("initial"), rows=100, name="variables") as address:
        yield address


def rehearse(
    home: Path, *words: object, run: str = "'SELECT 1'", **environment: str
) -> subprocess.CompletedProcess[str]:
    project = write_project(home / "project", f"migrations.RunSQL({run})")
    settled = ["--project", project, "--settings", "shop_settings", "--report-dir", home / "reports"]
    return subprocess.run(
        [sys.executable, "-m", "greenroom", "migrate-rehearse", "--drills=none", *map(str, [*words, *settled])],
        capture_output=True,
        text=True,
        env={**surroundings(home), "PGPASSWORD": PASSWORD, **environment},
        timeout=100,
    )


def test_own_server_hears_of_none(tmp_path: Path, source: Address) -> None:
    program, file = of_major(18).program("pg_dump"), tmp_path / "shop.dump"
    words = [program, "--format=custom", "--file", file]
    subprocess.run(words, env={**source.environment, "PATH": "/usr/bin:/bin"}, check=True)
    done = rehearse(tmp_path, "--dump", file, **HARMFUL)
    assert done.returncode == 0, done.stdout + done.stderr


def test_given_server_is_not_led_elsewhere(tmp_path: Path, source: Address) -> None:
    elsewhere = ("PGHOSTADDR", "PGOPTIONS", "PGSERVICE", "PGTARGETSESSIONATTRS")
    done = rehearse(tmp_path, "--url", source, **{name: HARMFUL[name] for name in elsewhere})
    assert done.returncode == 0, done.stdout + done.stderr


def test_given_server_is_as_secure_as_is_demanded(tmp_path: Path, source: Address) -> None:
    done = rehearse(tmp_path, "--url", source, PGSSLMODE="require")
    assert done.returncode == 2
    assert "SSL" in done.stderr


def test_app_on_a_given_server_has_what_the_person_set(tmp_path: Path, source: Address) -> None:
    run = "'SELECT 1' if __import__('os').environ.get('PGGEQO') == 'off' else 'it is not set'"
    done = rehearse(tmp_path, "--url", source, run=run, PGGEQO="off")
    assert done.returncode == 0, done.stdout + done.stderr
