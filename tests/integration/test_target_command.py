"""`--target` as a person types it: rehearsed here or on a branch, kept by db-pull or db-branch, no secret written."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from tests.integration.bastion import bastion, needed
from tests.integration.moto_server import CREDENTIALS, Cloud, cloud, moto
from tests.integration.projects import PASSWORD, shop, write_project
from tests.integration.sshd import until

pytestmark = pytest.mark.full

__all__ = ["cloud", "moto"]
ROOT = Path(__file__).parents[2]
HARMLESS = "migrations.AddField('Line', 'extra', models.IntegerField(null=True))"


@dataclass(frozen=True)
class Desk:
    """A checkout with a target, and a home of its own."""

    place: Path
    home: Path
    variables: Mapping[str, str] = field(default_factory=lambda: {"STAGING_PASSWORD": PASSWORD})

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {"HOME": str(self.home), "TMPDIR": str(self.place / "scratch"), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "greenroom", *words],
            cwd=self.place / "project",
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"], **self.variables, **environment},
            timeout=180,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done

    def files_with(self, text: str) -> list[Path]:
        """Everything written anywhere beneath that holds it, but the data of a server that stands."""
        return [
            path
            for path in self.place.rglob("*")
            if path.is_file() and "data" not in path.parts and text.encode() in path.read_bytes()
        ]


@pytest.fixture(scope="module")
def source(server18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server18, tmp_path_factory.mktemp("initial"), rows=2000, name="pulled") as address:
        yield address


def desk_of(tmp_path: Path, source: Address, home: Path, *lines: str) -> Desk:
    project = write_project(tmp_path / "project", HARMLESS)
    (tmp_path / "scratch").mkdir(mode=0o711)
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o711)
    table = [
        "[tool.greenroom.project]",
        'directory = "."',
        'settings = "shop_settings"',
        "[tool.greenroom.databases.staging]",
        f'host = "{source.host}"',
        f"port = {source.port}",
        f"name = {json.dumps(source.database)}",
        f"user = {json.dumps(source.user)}",
        *(lines if any("password" in line for line in lines) else ['password_variable = "STAGING_PASSWORD"', *lines]),
    ]
    (project / "pyproject.toml").write_text("\n".join(table) + "\n")
    (project / "tasks.py").write_text("from greenroom.tasks import namespace as namespace\n")
    return Desk(tmp_path, home)


@pytest.fixture
def desk(tmp_path: Path, source: Address) -> Desk:
    home = tmp_path / "home"
    home.mkdir()
    return desk_of(tmp_path, source, home)


def branches(source: Address) -> list[str]:
    with psycopg.connect(**source.parameters) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'pulled\\_\\_%'").fetchall()
    return [name for (name,) in rows]


@pytest.mark.parametrize(
    ("words", "kind", "warned"),
    [
        ([], "dump copy", ["H44"]),  # the lock-queue drill: the migration has no lock_timeout
        (["--remote"], "branch", []),  # no drill is held on somebody's server unasked
    ],
)
def test_target_is_rehearsed_and_nothing_stays(
    desk: Desk, source: Address, words: list[str], kind: str, warned: list[str]
) -> None:
    done = desk.run("migrate-rehearse", "--target", "staging", *words)
    assert done.returncode == 0, done.stderr
    document = json.loads((desk.place / "project/build/rehearsals/latest/rehearsal.json").read_text())
    assert (document["copy"]["kind"], document["copy"]["dropped"]) == (kind, True)
    assert document["verdict"] == ("warn" if warned else "pass")
    assert [found["hazard"] for found in document["findings"] if found["severity"] != "note"] == warned
    assert document["source"]["description"] == f"staging: {source.user}@{source.server}/{source.database}"
    assert branches(source) == []
    assert desk.files_with(PASSWORD) == []


@pytest.mark.parametrize("words", [[], ["--remote"]])
def test_masked_copy_is_told_in_every_report_and_a_sensitive_one_is_not_kept_here(
    tmp_path: Path, source: Address, words: list[str]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    masks = 'masks = { "shop_customer.email" = "email", "shop_line.note" = "keep" }'
    desk = desk_of(tmp_path, source, home, masks, "sensitive = true")
    done = desk.run("migrate-rehearse", "--target", "staging", "--drills", "none", *words)
    assert done.returncode == 0, done.stderr
    place = desk.place / "project/build/rehearsals/latest"
    notes = json.loads((place / "rehearsal.json").read_text())["fidelity"]["notes"]
    for told in (
        "masked: public.shop_customer.email as email (200 rows)",
        "not masked, as declared: public.shop_line.note",
    ):
        assert told in notes
        for name in ("report.md", "report.html"):
            assert told in (place / name).read_text()
    assert desk.run("snapshots").stdout == "No snapshots are kept.\n"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"c1@example.com" in path.read_bytes()] == []


def test_password_of_an_ssm_parameter_is_used_and_nowhere_written(
    tmp_path: Path, source: Address, cloud: Cloud
) -> None:
    import boto3

    with contextlib.closing(boto3.client("ssm")) as ssm:
        ssm.put_parameter(Name="/shop/staging/password", Value=PASSWORD, Type="SecureString")
    told = 'password_parameter = "/shop/staging/password"'
    desk = desk_of(tmp_path, source, tmp_path, told, 'region = "us-east-1"')
    desk = replace(desk, variables={**CREDENTIALS, "AWS_ENDPOINT_URL": cloud.url})
    done = desk.run("migrate-rehearse", "--target", "staging", "--drills", "none")
    assert done.returncode == 0, done.stderr
    assert desk.files_with(PASSWORD) == desk.files_with(CREDENTIALS["AWS_SECRET_ACCESS_KEY"]) == []


def test_target_through_vpn_host_is_rehearsed(tmp_path: Path, source: Address, server18: Server) -> None:
    needed()
    with bastion(tmp_path / "bastion") as host:
        host.client(server18.binaries)
        desk = desk_of(tmp_path, source, host.home, f'via = "{host.via}"')
        done = desk.run("migrate-rehearse", "--target", "staging")
        assert done.returncode == 0, done.stderr
        assert "dumping pulled on " in done.stderr
        host.settle()
    assert desk.files_with(PASSWORD) == []


def test_vpn_host_that_is_not_reached_is_one_sentence(tmp_path: Path, source: Address) -> None:
    desk = desk_of(tmp_path, source, tmp_path, 'via = "someone@127.0.0.1:9"')
    done = desk.run("migrate-rehearse", "--target", "staging")
    assert done.returncode == 2
    assert "cannot reach 127.0.0.1:9 within 5 s: is the VPN on?" in done.stderr


def test_pulled_copy_is_used_listed_and_dropped(desk: Desk) -> None:
    pulled = desk.run("db-pull", "--target", "staging")
    assert pulled.returncode == 0, pulled.stderr
    told = dict(line.split(maxsplit=1) for line in pulled.stdout.splitlines())
    name = told["copy"].partition(":")[0]
    script = f"{told['variables']}; exec {sys.executable} -c 'import psycopg; print(psycopg.connect().info.dbname)'"
    seen = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert seen == name
    assert name in desk.run("db-list").stdout
    dropped = desk.run("db-drop", name, "--yes")
    assert dropped.returncode == 0, dropped.stderr
    assert name not in desk.run("db-list").stdout


def test_kept_branch_is_dropped_by_name(desk: Desk, source: Address) -> None:
    made = desk.run("db-branch", "--target", "staging")
    assert made.returncode == 0, made.stderr
    (name,) = branches(source)
    assert name in made.stdout
    dropped = desk.run("db-drop", name, "--target", "staging", "--yes")
    assert dropped.returncode == 0, dropped.stderr
    assert branches(source) == []


@pytest.mark.parametrize(("words", "at"), [(["db-pull"], []), (["db-branch"], ["--target", "staging"])])
def test_kept_copy_is_named_after_the_git_branch_and_dropped_as_it_says(
    tmp_path: Path, server18: Server, words: list[str], at: list[str]
) -> None:
    """Whatever quotes and blanks are in the database's name: the command can be pasted."""
    (tmp_path / "initial").mkdir()
    (tmp_path / "home").mkdir()
    name = "shop of 'Ü' \"1%\""
    with shop(server18, tmp_path / "initial", rows=20, name=name) as source:
        desk = desk_of(tmp_path, source, tmp_path / "home")
        subprocess.run(["git", "init", "-q", "-b", "feature/Pay-später", desk.place / "project"], check=True)
        made = desk.run(*words, "--target", "staging")
        assert made.returncode == 0, made.stderr
        typed = shlex.split(made.stdout.partition("before: ")[2])
        assert typed[:2] == ["./inv", "db-drop"] and typed[3:] == at
        assert typed[2].startswith(f"{name}__feature_pay_spater_")
        dropped = desk.run(*typed[1:], "--yes")
        assert (dropped.returncode, dropped.stdout.splitlines()[-1]) == (0, f"dropped {typed[2]}"), dropped.stderr


def test_kept_branch_behind_a_vpn_host_is_reached_as_it_says(tmp_path: Path, source: Address, server18: Server) -> None:
    """The task's own tunnel has ended; the command that it prints makes its port lead there again."""
    needed()
    with bastion(tmp_path / "bastion") as host:
        host.client(server18.binaries)
        desk = desk_of(tmp_path, source, host.home, f'via = "{host.via}"')
        made = desk.run("db-branch", "--target", "staging")
        assert made.returncode == 0, made.stderr
        told = dict(line.split(maxsplit=1) for line in made.stdout.splitlines())
        ssh, *words = shlex.split(told["tunnel"].partition("  (")[0])
        with subprocess.Popen([ssh, "-F", host.config, *words]) as forwarding:  # OpenSSH does not read $HOME
            try:
                url = told["url"].replace("@", f":{PASSWORD}@")
                until(lambda: _database(url) is not None, lambda: f"no way through {told['tunnel']}")
                assert _database(url) == told["copy"].partition(":")[0]
            finally:
                forwarding.terminate()
        dropped = desk.run("db-drop", *branches(source), "--target", "staging", "--yes")
        assert dropped.returncode == 0, dropped.stderr
        host.settle()


def _database(url: str) -> str | None:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url) as connection:
        return connection.info.dbname
    return None


@pytest.mark.parametrize("words", [[], ["--remote"]])
def test_rehearsed_copy_that_is_kept_is_named_and_dropped(desk: Desk, source: Address, words: list[str]) -> None:
    done = desk.run("migrate-rehearse", "--target", "staging", "--keep", *words)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "db-drop" in line]
    what = line.partition("./inv db-drop ")[2].removesuffix(" drops it").split()
    dropped = desk.run("db-drop", *what, "--yes")
    assert dropped.returncode == 0, dropped.stderr
    assert branches(source) == []
    assert what[0] not in desk.run("db-list").stdout


def test_target_that_nobody_configured_is_named(desk: Desk) -> None:
    done = desk.run("migrate-rehearse", "--target", "prod")
    assert done.returncode == 2
    assert "no database is called prod in [tool.greenroom.databases] (there: staging)." in done.stderr


def test_check_tells_what_a_copy_would_be_and_makes_nothing(tmp_path: Path, source: Address, server18: Server) -> None:
    needed()
    lines = ('exclude_data = ["shop_line"]', "sensitive = true")
    with bastion(tmp_path / "bastion") as host:
        host.client(server18.binaries)
        desk = desk_of(tmp_path, source, host.home, f'via = "{host.via}"', *lines)
        here, beside = (desk.run("db-check", "--target", "staging", *words) for words in ([], ["--remote"]))
        host.settle()
    for done in (here, beside):
        assert done.returncode == 0, done.stderr
        told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
        assert f"{source.user}@{source.server}/{source.database} through {host.via}" in told["source"]
        assert told["left"].startswith("out     the rows of public.shop_line (")
        assert told["unmasked"].startswith("public.shop_customer.email: by their names")
        assert told["sensitive"] == "no copy of it can be kept: it has no masks"
    assert "pg_dump 18 on " in here.stdout and ", streamed here\n" in here.stdout
    assert "restored on embedded, PostgreSQL 18" in here.stdout and " free here\n" in here.stdout
    assert f"a branch of {source.database} on its own server, made on " in beside.stdout
    assert branches(source) == [] and desk.files_with(PASSWORD) == []
    assert desk.run("db-list").stdout.startswith("No copies stand")


def test_check_refuses_what_the_copy_would_refuse(tmp_path: Path, source: Address, server18: Server) -> None:
    desk = desk_of(tmp_path, source, tmp_path, 'masks = { "shop_customer.emial" = "email" }')
    done = desk.run("db-check", "--target", "staging")
    assert done.returncode == 2
    assert "shop_customer.emial" in done.stderr and "email" in done.stderr
    (tmp_path / "project/pyproject.toml").write_text(
        (tmp_path / "project/pyproject.toml").read_text().replace("emial", "email")
    )
    told = desk.run("db-check", "--target", "staging").stdout
    assert "masked       public.shop_customer.email\n" in told and "unmasked" not in told
    with psycopg.connect(**server18.address.parameters, autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {source.user} NOCREATEDB")
        try:
            done = desk.run("db-check", "--target", "staging", "--remote")
        finally:
            admin.execute(f"ALTER ROLE {source.user} CREATEDB")
    assert done.returncode == 2
    assert f"{source.user} may not create a database on {source.server}." in done.stderr
