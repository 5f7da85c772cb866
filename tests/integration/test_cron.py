"""A source with pg_cron, which can be made in one database of a server: its copies are whole without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.console import Silent
from greenroom.copies.acquiring import CopyRequest, acquire
from greenroom.postgres import workers
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import embedded
from greenroom.postgres.server import connect
from tests.integration.bastion import Bastion
from tests.integration.shop import ROWS, Shop, request, shop
from tests.integration.staging import places, wanted

__all__ = ["places"]

# What pg_cron's own script does, as far as a dump meets it. A branch has two underscores in its name.
SCRIPT = r"""
DO $$ BEGIN
IF current_database() LIKE '%\_\_%' THEN RAISE EXCEPTION 'can only create extension in database shop'; END IF;
END $$;
CREATE SCHEMA cron;
CREATE SEQUENCE cron.jobid_seq;
CREATE TABLE cron.job (
    jobid bigint PRIMARY KEY DEFAULT nextval('cron.jobid_seq'), command text, username text DEFAULT current_user);
GRANT SELECT ON cron.job TO public;
ALTER TABLE cron.job ENABLE ROW LEVEL SECURITY;
CREATE POLICY cron_job_policy ON cron.job USING (username = current_user);
CREATE FUNCTION cron.schedule(command text) RETURNS bigint LANGUAGE sql AS
'INSERT INTO cron.job (command) VALUES (command) RETURNING jobid';
SELECT pg_extension_config_dump('cron.job', '');
SELECT pg_extension_config_dump('cron.jobid_seq', '');
"""
USED = """
CREATE EXTENSION pg_cron;
COMMENT ON EXTENSION pg_cron IS 'jobs';
GRANT USAGE ON SCHEMA cron TO {owner};
GRANT EXECUTE ON FUNCTION cron.schedule TO {owner};
ALTER DEFAULT PRIVILEGES IN SCHEMA cron GRANT SELECT ON TABLES TO {owner};
SELECT cron.schedule('VACUUM');
CREATE TABLE cron.mine (id int PRIMARY KEY); INSERT INTO cron.mine VALUES (1);
CREATE TABLE cron.noted (job bigint REFERENCES cron.job, mine int REFERENCES cron.mine);
CREATE VIEW jobs AS SELECT command FROM cron.job; COMMENT ON VIEW jobs IS 'what runs';
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM jobs; CREATE UNIQUE INDEX counted_n ON counted (n);
CREATE TABLE ran (mine int CONSTRAINT ran_mine REFERENCES cron.mine); INSERT INTO ran VALUES (1);
ALTER TABLE ran OWNER TO {owner}; GRANT SELECT ON cron.mine, cron.noted TO {owner};
CREATE FUNCTION later() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT cron.schedule('ANALYZE'); END;
"""
LEFT_OUT = "not copied, as it depends on pg_cron or is of its schema: "


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("share")
    for above in (directory, *directory.parents[:2]):
        above.chmod(0o711)
    scripts = directory / "extension"
    scripts.mkdir(mode=0o755)
    (scripts / "pg_cron.control").write_text("default_version = '1.0'\nrelocatable = false\nschema = pg_catalog\n")
    (scripts / "pg_cron--1.0.sql").write_text(SCRIPT)
    directory.chmod(0o755)
    settings = {"extension_control_path": f"$system:{directory}"}
    with embedded(binaries=of_major(18), settings=settings) as server, shop(server) as made:
        with connect(made.admin) as admin:
            admin.execute(USED.format(owner=made.owner).encode())
        yield made


def is_whole_without_it(asked: CopyRequest) -> list[str]:
    with acquire(asked, Silent()) as copy, connect(copy.admin) as connection:
        assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
        extensions = connection.execute("SELECT extname FROM pg_extension ORDER BY 1").fetchall()
        assert extensions == [("pg_trgm",), ("plpgsql",)]
        assert connection.execute("SELECT to_regnamespace('cron')").fetchone() == (None,)
        assert connection.execute("SELECT mine FROM ran").fetchall() == [(1,)]
        assert connection.execute("SELECT to_regclass('jobs'), to_regclass('counted')").fetchone() == (None, None)
        assert workers.WITHOUT_CRON in copy.notes
        (told,) = (note for note in copy.notes if note.startswith(LEFT_OUT))
        assert set(told.removeprefix(LEFT_OUT).split(", ")) == {
            "TABLE cron.mine",
            "TABLE cron.noted",
            "CONSTRAINT cron.mine mine_pkey",
            "FK CONSTRAINT cron.noted noted_job_fkey",
            "FK CONSTRAINT cron.noted noted_mine_fkey",
            "VIEW public.jobs",
            "MATERIALIZED VIEW public.counted",
            "INDEX public.counted_n",
            "FK CONSTRAINT public.ran ran_mine",
            "FUNCTION public.later()",
        }
    return copy.notes


def test_branch_of_a_superuser(source: Shop) -> None:
    is_whole_without_it(request(url=source.url(source.admin)))


def test_branch_of_an_ordinary_role(source: Shop) -> None:
    """It may not read the jobs of others."""
    is_whole_without_it(request(url=source.url()))


def test_branch_behind_a_vpn_host(source: Shop, vpn: Bastion) -> None:
    vpn.client(source.server.binaries)
    notes = is_whole_without_it(wanted(source, via=vpn.via, how={"remote": True}))
    assert "pg_restore takes pg_cron out of a pipe as it comes: copied through a tunnel, without it" in notes


@pytest.mark.parametrize("via", [False, True])
def test_restored_here(source: Shop, vpn: Bastion, via: bool) -> None:
    vpn.client(source.server.binaries)
    is_whole_without_it(wanted(source, **({"via": vpn.via} if via else {})))


def test_dump(source: Shop, tmp_path: Path) -> None:
    is_whole_without_it(request(dump=source.dump(tmp_path / "shop.dump")))


def test_branch_by_template_has_it_and_says_nothing(source: Shop) -> None:
    """The server looks for jobs in the source alone."""
    with acquire(request(url=source.url(source.admin), template=True), Silent()) as copy:
        assert workers.WITHOUT_CRON not in copy.notes
