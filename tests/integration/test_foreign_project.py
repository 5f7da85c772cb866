"""A Django project that is not ours, from its package and by options alone: Wagtail, from an earlier state."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.secret import Secret
from tests.own_places import surroundings

pytestmark = pytest.mark.full

SITE = Path(__file__).parents[1] / "foreign" / "wagtail_site"
EARLIER = "0088"
LOG_ENTRIES = 20_000


@pytest.fixture(scope="module")
def wagtail(server18: Server) -> Iterator[Address]:
    """Wagtail's database as it was at wagtailcore 0088, with a log whose entries 0089 has to mend."""
    owner = Address(server18.address.host, server18.address.port, "wagtail", "wagtail", Secret("planted-0s3cret"))
    with psycopg.connect(**server18.address.parameters, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE wagtail LOGIN CREATEDB PASSWORD {}").format("planted-0s3cret"))
        admin.execute("CREATE DATABASE wagtail OWNER wagtail")
    environment = {**owner.environment, "DJANGO_SETTINGS_MODULE": "earlier_settings", "PATH": "/usr/bin:/bin"}
    for arguments in (["wagtailcore", EARLIER], ["wagtailadmin"]):
        subprocess.run(
            [sys.executable, "-m", "django", "migrate", "-v0", *arguments],
            cwd=SITE,
            env={**environment, "PYTHONPATH": str(SITE)},
            check=True,
        )
    with psycopg.connect(**owner.parameters) as connection:
        connection.execute(
            """
            INSERT INTO wagtailcore_modellogentry
                   (label, action, data, timestamp, content_changed, deleted, object_id, uuid)
            SELECT 'entry ' || n, 'wagtail.edit', 'null'::jsonb, now() - n * interval '1 minute', true, false,
                   n::text, gen_random_uuid()
            FROM generate_series(1, %s) AS n
            """,
            [LOG_ENTRIES],
        )
        connection.execute("ANALYZE")
    yield owner
    with psycopg.connect(**server18.address.parameters, autocommit=True) as admin:
        admin.execute("DROP DATABASE wagtail WITH (FORCE)")
        admin.execute("DROP ROLE wagtail")


def test_wagtail_rehearsed_from_an_earlier_state_by_options_alone(wagtail: Address, tmp_path: Path) -> None:
    """Its settings name a production host with sslmode=require; neither is reached, and its lock_timeout is kept."""
    url = f"postgresql://{wagtail.user}@{wagtail.host}:{wagtail.port}/wagtail"
    options = ["--settings", "wagtail_settings", "--report-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "greenroom", "migrate-rehearse", "--url", url, "--project", str(SITE), *options],
        capture_output=True,
        text=True,
        env={**surroundings(tmp_path), "PATH": "/usr/bin:/bin", "PGPASSWORD": "planted-0s3cret"},
    )
    assert done.returncode in (0, 1), done.stderr
    written = (tmp_path / "latest" / "rehearsal.json").read_text()
    rehearsal = json.loads(written)
    names = [f"{run['app']}.{run['name']}" for run in rehearsal["migrations"]]
    assert next(name for name in names if name.startswith("wagtailcore.")).startswith("wagtailcore.0089")
    assert {run["status"] for run in rehearsal["migrations"]} == {"applied"}
    assert rehearsal["copy"]["dropped"] is True
    assert rehearsal["fidelity"]["lock_timeout"] == "4s"
    assert rehearsal["error"] is None
    mended = [s for run in rehearsal["migrations"] for s in run["statements"] if (s["rows"] or 0) >= LOG_ENTRIES]
    assert mended, "the data migration's rows were not seen"
    assert "planted-0s3cret" not in written + done.stdout + done.stderr


def test_wagtail_source_is_left_as_it_was(wagtail: Address) -> None:
    with psycopg.connect(**wagtail.parameters) as connection:
        newest = connection.execute("SELECT max(name) FROM django_migrations WHERE app = 'wagtailcore'").fetchone()
        copies = connection.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'wagtail\\_\\_%'").fetchone()
    assert newest and newest[0].startswith(EARLIER)
    assert copies == (0,)
