"""Bad input to `migrate-rehearse`: one sentence, a next step, exit code 2, nothing left behind, no secret printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from tests.integration.projects import PASSWORD, branches_of, shop, write_project
from tests.own_places import surroundings

pytestmark = pytest.mark.full

UNREACHABLE = "postgresql://someone@127.0.0.1:9/shop"


@dataclass(frozen=True)
class Said:
    code: int
    first: str
    rest: str
    everything: str


@pytest.fixture(scope="module")
def source(server18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server18, tmp_path_factory.mktemp("initial"), rows=20_000, name="badly") as address:
        yield address


@pytest.fixture(scope="module")
def archive(source: Address, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dumped(source, tmp_path_factory.mktemp("dump") / "shop.dump", "--format=custom")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project", "migrations.RunSQL('SELECT 1')")


def dumped(source: Address, file: Path, *options: str) -> Path:
    pg_dump = of_major(18).program("pg_dump")
    subprocess.run([pg_dump, *options, "--file", file], env={**source.environment, "PATH": "/usr/bin:/bin"}, check=True)
    return file


def rehearse(tmp_path: Path, *words: object, password: str = PASSWORD, **environment: str) -> Said:
    """Run the command as a person would, in an empty home; its error is the last thing on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "greenroom", "migrate-rehearse", *map(str, words), "--report-dir", tmp_path / "reports"],
        capture_output=True,
        text=True,
        env={**surroundings(tmp_path), "PATH": "/usr/bin:/bin:/usr/sbin", "PGPASSWORD": password, **environment},
        timeout=120,
    )
    lines = [line for line in done.stderr.splitlines() if not re.match(r" *\d+\.\d s  ", line)]
    assert "Traceback" not in done.stderr, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return Said(done.returncode, lines[0] if lines else "", " ".join(lines[1:]), done.stdout + done.stderr)


def settled(project: Path) -> list[str]:
    return ["--project", str(project), "--settings", "shop_settings"]


def test_wrong_password(tmp_path: Path, source: Address, project: Path) -> None:
    said = rehearse(tmp_path, "--url", source, *settled(project), password="not-the-password")
    assert said.code == 2
    assert said.first == f"{source.server} refuses {source.user}: the password is wrong."
    assert "PGPASSWORD" in said.rest
    assert "not-the-password" not in said.everything


def test_unreachable_server(tmp_path: Path, project: Path) -> None:
    said = rehearse(tmp_path, "--url", UNREACHABLE, *settled(project))
    assert said.code == 2
    assert said.first.startswith("no PostgreSQL server can be reached at 127.0.0.1:9 (5 s): ")
    assert "VPN" in said.rest


def test_no_such_database(tmp_path: Path, source: Address, project: Path) -> None:
    said = rehearse(tmp_path, "--url", source.at("absent"), *settled(project))
    assert (said.code, said.first) == (2, f"there is no database absent on {source.server}.")


@pytest.mark.parametrize("parameter", ["foo=bar", "connect_timeout=soon"])
def test_url_with_a_parameter_that_libpq_does_not_know(tmp_path: Path, project: Path, parameter: str) -> None:
    said = rehearse(tmp_path, "--url", f"{UNREACHABLE}?{parameter}", *settled(project))
    assert said.code == 2
    assert said.first.startswith("the parameters of the database URL cannot be used: ")
    assert parameter.partition("=")[0] in said.first


def test_dump_of_a_newer_major_version(tmp_path: Path, archive: Path, project: Path, server15: Server) -> None:
    target = server15.address
    words = ["--dump", archive, "--server", f"postgresql://{target.user}@{target.server}/postgres"]
    assert target.password
    said = rehearse(tmp_path, *words, *settled(project), password=target.password.reveal())
    assert said.code == 2
    assert "18" in said.first and "15" in said.first


def test_truncated_dump(tmp_path: Path, archive: Path, project: Path) -> None:
    short = tmp_path / "short.dump"
    short.write_bytes(archive.read_bytes()[: archive.stat().st_size * 2 // 3])
    said = rehearse(tmp_path, "--dump", short, *settled(project))
    assert said.code == 2
    assert said.first.startswith("short.dump is truncated or damaged")
    assert "pg_dump -Fc" in said.rest


def test_plain_sql_dump_is_refused_with_the_reason(tmp_path: Path, source: Address, project: Path) -> None:
    plain = dumped(source, tmp_path / "plain.sql", "--format=plain")
    said = rehearse(tmp_path, "--dump", plain, *settled(project))
    assert said.code == 2
    assert "plain" in said.first
    assert "pg_dump -Fc" in said.everything


def test_dump_that_is_not_there(tmp_path: Path, project: Path) -> None:
    said = rehearse(tmp_path, "--dump", tmp_path / "absent.dump", *settled(project))
    assert said.code == 2
    assert "absent.dump" in said.first


def test_settings_module_that_does_not_import(tmp_path: Path, source: Address, project: Path) -> None:
    said = rehearse(tmp_path, "--url", source, "--project", project, "--settings", "absent_settings")
    assert said.code == 2
    assert said.first.startswith("the project does not start: The settings module absent_settings cannot be imported")
    assert "--settings" in said.rest
    assert branches_of(source) == []


def test_interpreter_that_is_not_there(tmp_path: Path, source: Address, project: Path) -> None:
    said = rehearse(tmp_path, "--url", source, *settled(project), "--python", "/nowhere/python")
    assert (said.code, said.first) == (2, "the interpreter /nowhere/python does not exist.")


def test_project_without_a_source(tmp_path: Path, project: Path) -> None:
    said = rehearse(tmp_path, *settled(project))
    assert said.code == 2
    assert said.first == "--project needs data: the demo data belongs to greenroom's own app."
    assert "--dump FILE" in said.rest


def test_two_sources(tmp_path: Path, archive: Path) -> None:
    said = rehearse(tmp_path, "--dump", archive, "--url", UNREACHABLE)
    assert (said.code, said.first) == (2, "--dump and --url are two sources; a rehearsal has one.")


def test_missing_extension_on_the_copys_server(
    tmp_path: Path, server15: Server, server18: Server, project: Path
) -> None:
    """pgcrypto is in the system's PostgreSQL 15 and not in the embedded wheel's 18."""
    with shop(server15, tmp_path / "initial", rows=10, name="encrypted") as source:
        with psycopg.connect(**server15.address.at(source.database).parameters, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pgcrypto")
        made = dumped(source, tmp_path / "encrypted.dump", "--format=custom")
    target = server18.address
    words = ["--dump", made, "--server", f"postgresql://{target.user}@{target.server}/postgres"]
    assert target.password
    said = rehearse(tmp_path, *words, *settled(project), password=target.password.reveal())
    assert said.code == 2
    assert "pgcrypto" in said.first
    assert "--server" in said.rest


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 120 MB: room for a server, not for the data."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120m", "tmpfs", place], check=False).returncode == 0
    if not mounted and not os.environ.get("CI"):
        pytest.skip("a small disk can be mounted by root only")
    assert mounted
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def test_disk_full_on_restore(tmp_path: Path, server18: Server, project: Path, small_disk: Path) -> None:
    with shop(server18, tmp_path / "initial", rows=900_000, name="large") as source:
        made = dumped(source, tmp_path / "large.dump", "--format=custom")
    said = rehearse(tmp_path, "--dump", made, *settled(project), TMPDIR=str(small_disk))
    assert said.code == 2
    assert said.first.endswith("is full: the copy of the data does not fit.")
    assert "TMPDIR" in said.rest
    assert not list(small_disk.rglob("postmaster.pid"))


def test_server_stopped_in_the_middle_of_a_migration(tmp_path: Path) -> None:
    """The server of --url goes away: nothing can be judged."""
    before = (
        "def stop(apps, schema_editor):\n"
        "    import os, signal\n"
        "    os.kill(int(open(os.environ['POSTMASTER']).readline()), signal.SIGQUIT)\n"
        "    time.sleep(1)\n"
        "    schema_editor.execute('SELECT 1')\n"
    )
    project = write_project(tmp_path / "project", "migrations.RunPython(stop)", before=before)
    with embedded() as server:
        words = []
        with shop_that_may_go(server, tmp_path / "initial") as source:
            words = ["--url", source, *settled(project)]
            said = rehearse(tmp_path, *words, POSTMASTER=str(server.data / "postmaster.pid"))
    assert said.code == 2
    assert "went away during shop.0002_change, so nothing can be judged." in said.everything
    assert "./inv db-drop going__" in said.first  # the copy is on the server that is gone, and is named


class shop_that_may_go:
    """The shop, on a server that is gone when it is to be cleaned up."""

    def __init__(self, server: Server, directory: Path) -> None:
        self._shop = shop(server, directory, rows=100, name="going")

    def __enter__(self) -> Address:
        return self._shop.__enter__()

    def __exit__(self, *_: object) -> None:
        with pytest.raises(psycopg.OperationalError):
            self._shop.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["--no-such-option"], "migrate-rehearse has no option --no-such-option."),
        (["--budget-read-ms", "soon"], "--budget-read-ms soon is not a number above 0."),
        (["--budget-write-ms", "-3"], "--budget-write-ms -3 is not a number above 0."),
        (["--timeout", "0"], "--timeout 0 is not a number above 0."),
        (["--drills", "fire"], "there is no drill fire; there are back, old-release, lock-queue, crash."),
        *(
            ([option, ""], f"{option} is empty")
            for option in ("--dump", "--url", "--target", "--server", "--migrate-to")
        ),
        (["--drills", ","], "--drills names no drill; there are back, old-release, lock-queue, crash."),
        (["--format", "xml"], "--format xml is not known."),
        (
            ["--base", "v1", "--base-image", "shop:1"],
            "--base and --base-image each name the running release.",
        ),
        (
            ["--base-image", "shop:1", "--base-environment", "staging"],
            "--base-image and --base-environment each name the running release.",
        ),
        (
            ["--base-environment", "staging", "--drills", "back"],
            "staging is for the drill old-release, which is not among those to hold.",
        ),
        (["--base", "no-such-tag"], "git knows no commit no-such-tag."),
        (["--base", "HEAD"], "HEAD is the commit that is checked out: there is no older release to drill with."),
        (
            ["--base", "HEAD~1", "--drills", "back"],
            "HEAD~1 is for the drill old-release, which is not among those to hold.",
        ),
        (["--server", "embedded"], "--server says where a dump is restored, and there is no dump."),
        (["--template"], "--template is a way to copy on the server of --url."),
        (["--project", "absent"], "--project absent is not a directory."),
        (["--url", "mysql://a@b/c"], "a database URL begins with postgresql://, not mysql://"),
    ],
)
def test_bad_option(tmp_path: Path, words: list[str], first: str) -> None:
    extra = ["--url", UNREACHABLE] if words[0] == "--project" else []
    said = rehearse(tmp_path, *words, *extra)
    assert said.code == 2
    assert first in said.everything


def test_migrate_to_what_is_not_there(tmp_path: Path, source: Address, project: Path) -> None:
    said = rehearse(tmp_path, "--url", source, *settled(project), "--migrate-to", "shop.0099")
    assert said.code == 2
    assert "0099" in said.first
    assert branches_of(source) == []


def test_report_directory_that_cannot_be_written(tmp_path: Path, source: Address, project: Path) -> None:
    (tmp_path / "reports").write_text("a file")
    said = rehearse(tmp_path, "--url", source, *settled(project))
    assert said.code == 2
    assert "reports" in said.first


def test_what_changes_the_whole_server_is_not_run_on_that_of_others(
    tmp_path: Path, source: Address, archive: Path
) -> None:
    change = "migrations.RunSQL(\"ALTER ROLE CURRENT_USER SET work_mem = '9MB'\", '')"
    project = write_project(tmp_path / "project", change)
    said = rehearse(tmp_path, "--url", source, *settled(project))
    assert said.code == 2
    assert said.first == (
        "shop.0002_change changes what belongs to the whole server (ALTER ROLE), and others use this one: it was not "
        "run."
    )
    assert "--dump FILE" in said.rest and branches_of(source) == []
    with psycopg.connect(**source.parameters) as connection:
        assert connection.execute("SELECT rolconfig FROM pg_roles WHERE rolname = current_user").fetchone() == (None,)
    assert rehearse(tmp_path, "--dump", archive, *settled(project)).code == 0
