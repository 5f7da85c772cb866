"""`./inv up` and what goes with it, typed, on the real engine: the app as in production, its bastion, its SSM."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from greenroom import docker
from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.postgres.postmaster import free_port
from tests.integration.running import INV, ROOT, Said, chromium_needed, environment, inv

pytestmark = pytest.mark.xdist_group("containers")

PARTS = (
    "app",
    "compose",
    "compose.yaml",
    "pyproject.toml",
    "tasks.py",
    "requirements/app.txt",
    "requirements/moto.txt",
)
PASSWORD = "only-for-this-test-container"
PENDING = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "{before}")]
    operations = [migrations.AddIndex("finding", models.Index(fields=["summary"], name="finding_summary_idx"))]
"""


@dataclass(frozen=True)
class Checkout:
    """A checkout of its own, whose containers, images and ports are nobody else's."""

    root: Path
    project: str
    ports: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        home = {"HOME": str(self.root / "home"), "TMPDIR": str(self.root / "scratch")}
        return {"COMPOSE_PROJECT_NAME": self.project, "LEDGER_IMAGE": f"{self.project}-app", **self.ports, **home}

    @property
    def url(self) -> str:
        return f"http://localhost:{self.ports['DJANGO_EXTERNAL_PORT_NUM']}"

    def inv(self, *words: str, env: Mapping[str, str] = {}) -> Said:
        said = inv(*words, env={**self.env, **env}, cwd=self.root)
        assert "pl4nted" not in said.out + said.error
        return said

    def start(self, *words: str, env: Mapping[str, str] = {}) -> subprocess.Popen[str]:
        """Without waiting for its end."""
        return subprocess.Popen(
            [*INV, *words],
            cwd=self.root,
            env=environment({**self.env, **env}),
            stdout=-1,
            stderr=-1,
            stdin=-3,
            text=True,
        )

    def another(self, place: Path) -> Checkout:
        """The same files and images under another project's name, and at other ports."""
        made = checkout_in(place)
        return Checkout(made.root, made.project, {**made.ports, "LEDGER_IMAGE": self.env["LEDGER_IMAGE"]})

    def inspect(self, service: str) -> dict[str, Any]:
        (found,) = json.loads(run("docker", "inspect", f"{self.project}-{service}-1"))
        return dict(found)

    def containers(self) -> list[str]:
        label = f"label=com.docker.compose.project={self.project}"
        return run("docker", "ps", "--all", "--quiet", "--filter", label).split()

    def volumes(self) -> list[str]:
        return run("docker", "volume", "ls", "--quiet", "--filter", f"name={self.project}_").split()

    def clear(self) -> None:
        """Whatever a test has left."""
        label = f"label=com.docker.compose.project={self.project}"
        for what, listed in (("container", ["--all"]), ("image", ["--all"]), ("volume", []), ("network", [])):
            found = set(run("docker", what, "ls", "--quiet", *listed, "--filter", label).split())
            if found:
                run("docker", what, "rm", "--force", *sorted(found))


def run(*words: str, stdin: str | None = None) -> str:
    return subprocess.run(words, input=stdin, check=True, capture_output=True, text=True, timeout=120).stdout


def checkout_in(place: Path) -> Checkout:
    for name in PARTS:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "build"))
        else:
            shutil.copy2(ROOT / name, place / name)
    for name in ("home/.ssh", "scratch"):
        (place / name).mkdir(parents=True)
    for above in (place, *place.parents[:2]):
        above.chmod(0o711)  # a server that runs as nobody passes through
    names = ("DJANGO_EXTERNAL_PORT_NUM", "SSM_APP_PORT", "BASTION_PORT")
    return Checkout(place, f"greenroom-test-{secrets.token_hex(4)}", {name: str(free_port()) for name in names})


@contextmanager
def cleared(checkout: Checkout) -> Iterator[Checkout]:
    try:
        yield checkout
    finally:
        checkout.clear()


@pytest.fixture(scope="module")
def engine() -> None:
    """Skip where there is no engine with the images that all is made from; in CI that is a failure."""
    try:
        with docker.engine() as found:
            for image in ("python:3.13-slim-trixie", "postgres:18"):
                found.image(image, Silent())
    except GreenroomError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"needs a Docker engine with python:3.13-slim-trixie and postgres:18: {error.sentence}")


@pytest.fixture(scope="module")
def checkout(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    with cleared(checkout_in(tmp_path_factory.mktemp("checkout"))) as made:
        yield made


@pytest.fixture(scope="module")
def up(checkout: Checkout) -> Said:
    """All of compose.yaml, started by one command from nothing: the images are built too."""
    said = checkout.inv("up", "--detach", "--demo", "--profile", "bastion", "--profile", "aws")
    assert said.code == 0, said.error
    (checkout.root / "home/.ssh/config").write_text(f"Include {checkout.root}/build/bastion/ssh_config\n")
    return said


def member(said: Said) -> dict[str, str]:
    """The admin user that was made."""
    found = re.search(
        r"^log in as (\S+) with the password (\S+) \(made now, and shown this once\)$", said.out, re.MULTILINE
    )
    assert found, said.out
    return {"GREENROOM_SMOKE_USER": found[1], "GREENROOM_SMOKE_PASSWORD": found[2]}


@pytest.mark.full
def test_up_waits_until_all_are_healthy_and_says_where_they_are(checkout: Checkout, up: Said) -> None:
    assert up.out.splitlines()[:4] == [
        f"{checkout.project} is up. Try it: ./inv smoke; end it: ./inv down",
        f"  app: {checkout.url}",
        f"  app-from-ssm: http://localhost:{checkout.ports['SSM_APP_PORT']}",
        f"  bastion: 127.0.0.1:{checkout.ports['BASTION_PORT']}",
    ]
    assert f"starting {checkout.project}: app, app-from-ssm, aws, bastion, migrate, parameters, postgres" in up.error
    table = checkout.inv("ps")
    assert (table.code, [line.split()[:2] for line in table.out.splitlines()]) == (
        0,
        [
            ["app", "healthy"],
            ["app-from-ssm", "healthy"],
            ["aws", "healthy"],
            ["bastion", "healthy"],
            ["migrate", "done"],
            ["parameters", "done"],
            ["postgres", "healthy"],
        ],
    )


@pytest.mark.full
def test_smoke_passes_on_the_container_with_the_browser(checkout: Checkout, up: Said) -> None:
    chromium_needed()
    said = checkout.inv("smoke", env=member(up))
    assert said.code == 0, said.out
    assert said.out.splitlines()[-1] == f"{checkout.url}: 14 passed, 2 left out"
    for check in ("static files have hashed names", "members' pages", "in a browser"):
        assert said.state(check) == "ok"


@pytest.mark.full
def test_app_starts_from_what_ssm_holds(checkout: Checkout, up: Said) -> None:
    made = checkout.inspect("app-from-ssm")
    given = dict(pair.split("=", 1) for pair in made["Config"]["Env"])
    assert given["DJANGO_READ_SSM_PARAMS"] == "true"
    assert not {"DJANGO_SECRET_KEY", "DJANGO_DB_HOST", "DJANGO_DB_PASS", "DJANGO_ALLOWED_HOSTS"} & given.keys()
    said = checkout.inv("smoke", "--url", f"http://localhost:{checkout.ports['SSM_APP_PORT']}", env=member(up))
    assert said.code == 0, said.out
    assert said.state("log-in") == "ok"


@pytest.mark.full
@pytest.mark.parametrize("service", ["app", "app-from-ssm", "postgres", "bastion", "aws"])
def test_containers_are_closed(checkout: Checkout, up: Said, service: str) -> None:
    made = checkout.inspect(service)
    host = made["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (True, ["ALL"], None)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    who = run("docker", "exec", f"{checkout.project}-{service}-1", "sh", "-c", "id -u; grep CapBnd /proc/1/status")
    uid, _, bounding = who.split()
    assert uid != "0"
    assert int(bounding, 16) == 0
    published = [at["HostIp"] for ports in made["NetworkSettings"]["Ports"].values() for at in ports or ()]
    assert published == ([] if service in ("postgres", "aws") else ["127.0.0.1"])


@pytest.mark.full
def test_the_databases_network_leads_nowhere(checkout: Checkout, up: Said) -> None:
    (network,) = json.loads(run("docker", "network", "inspect", f"{checkout.project}_database"))
    assert network["Internal"] is True
    assert list(checkout.inspect("postgres")["NetworkSettings"]["Networks"]) == [f"{checkout.project}_database"]


@pytest.mark.full
def test_up_again_keeps_what_is_there(checkout: Checkout, up: Said) -> None:
    before = {name: checkout.inspect(name)["Id"] for name in ("app", "postgres", "bastion")}
    key = (checkout.root / "build/bastion/key").read_text()
    said = checkout.inv("up", "--detach", "--demo", "--profile", "bastion")
    assert said.code == 0, said.error
    assert {name: checkout.inspect(name)["Id"] for name in before} == before
    assert (checkout.root / "build/bastion/key").read_text() == key
    assert "admin is there already: ./inv shell, then: python manage.py changepassword admin" in said.out
    assert "is older than the code" not in said.out


@pytest.mark.full
def test_shell_runs_in_the_container(checkout: Checkout, up: Said) -> None:
    words = [*INV, "shell"]
    done = subprocess.run(
        words, cwd=checkout.root, env=environment(checkout.env), input="id -u; pwd", capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.split()) == (0, ["10001", "/app"])
    there = subprocess.run(
        [*words, "--service", "postgres"], cwd=checkout.root, env=environment(checkout.env), input="exit 3", text=True
    )
    assert there.returncode == 3


@pytest.mark.full
def test_logs_are_those_of_the_containers(checkout: Checkout, up: Said) -> None:
    said = checkout.inv("logs", "--service", "app", "--tail", "3")
    assert said.code == 0
    assert [json.loads(line)["logger"].partition(".")[0] for line in said.out.splitlines()] == ["gunicorn"] * 3
    everything = checkout.inv("logs").out
    assert "put /ledger/compose/DJANGO_DB_HOST" in everything
    assert "\x1b[2K" not in everything
    assert PASSWORD not in everything


@pytest.fixture
def pending(checkout: Checkout) -> Iterator[str]:
    """A migration that the database does not have."""
    directory = checkout.root / "app/ledger/migrations"
    before = sorted(path.stem for path in directory.glob("0*.py"))[-1]
    file = directory / f"{int(before[:4]) + 1:04}_summary_index.py"
    file.write_text(PENDING.format(before=before))
    yield f"ledger.{file.stem}"
    file.unlink()


@pytest.mark.full
@pytest.mark.parametrize(("words", "kind"), [([], "dump copy"), (["--remote"], "branch")])
def test_database_is_rehearsed_through_the_bastion(
    checkout: Checkout, up: Said, pending: str, words: list[str], kind: str
) -> None:
    options = ["--target", "compose", "--drills", "none", *words]
    said = checkout.inv("migrate-rehearse", *options, env={"DJANGO_DB_PASS": PASSWORD})
    assert said.code == 0, said.error + said.out
    document = json.loads((checkout.root / "build/rehearsals/latest/rehearsal.json").read_text())
    assert (document["copy"]["kind"], document["copy"]["dropped"]) == (kind, True)
    assert [migration["name"] for migration in document["migrations"]] == [pending.partition(".")[2]]
    assert document["source"]["description"] == "compose: ledger@postgres:5432/ledger via ledger-bastion"
    assert PASSWORD not in said.out + said.error
    listed = run("docker", "exec", f"{checkout.project}-postgres-1", "psql", "-U", "ledger", "-Atc", DATABASES)
    assert listed.split() == ["ledger", "postgres"]


DATABASES = "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1"


@pytest.mark.full
def test_bastion_leads_to_the_database_alone(checkout: Checkout, up: Said) -> None:
    ssh = ["ssh", "-F", str(checkout.root / "build/bastion/ssh_config"), "ledger-bastion"]
    assert run(*ssh, "id -un; pg_dump --version").startswith("bastion\npg_dump (PostgreSQL) 18")
    done = subprocess.run([*ssh[:3], "-W", "app:8000", ssh[3]], input="x", capture_output=True, text=True, timeout=30)
    assert "administratively prohibited" in done.stderr
    assert stat_mode(checkout.root / "build/bastion") == 0o700
    assert stat_mode(checkout.root / "build/bastion/key") == 0o600


def stat_mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.full
def test_image_that_is_older_than_the_code_is_said(checkout: Checkout, up: Said, pending: str) -> None:
    said = checkout.inv("up", "--detach")
    file = f"app/ledger/migrations/{pending.partition('.')[2]}.py"
    older = f"The image {checkout.project}-app is older than the code (changed last: {file})"
    assert f"{older}: ./inv up --build builds it anew.\n" in said.out
    built = checkout.inv("up", "--detach", "--build")
    assert built.code == 0, built.error
    assert "is older than the code" not in built.out
    applied = run("docker", "exec", f"{checkout.project}-app-1", "python", "manage.py", "showmigrations", "ledger")
    assert f"[X] {pending.partition('.')[2]}" in applied


@pytest.mark.full
def test_taken_port_is_said_before_anything_starts(checkout: Checkout, up: Said, tmp_path: Path) -> None:
    with cleared(checkout.another(tmp_path / "other")) as other:
        port = checkout.ports["DJANGO_EXTERNAL_PORT_NUM"]
        said = other.inv("up", "--detach", env={"DJANGO_EXTERNAL_PORT_NUM": port})
        assert (said.code, said.out) == (2, "")
        assert (
            said.error.splitlines()[0]
            == f"port {port}, where app is to be reached, cannot be used: address already in use."
        )
        assert said.error.splitlines()[1].endswith(f"DJANGO_EXTERNAL_PORT_NUM={int(port) + 1000} ./inv up")
        assert other.containers() == []


OVERRIDES = {
    "unhealthy": (
        "services: {app: {healthcheck: {test: [CMD, 'false'], interval: 300ms, retries: 2, start_period: 1ms}}}\n",
        "app is unhealthy. Its last lines:",
        '"message": "Listening at: http://0.0.0.0:8000',
        "./inv logs --service app",
    ),
    "migrate": (
        "services: {migrate: {environment: {DJANGO_DB_HOST: nowhere.invalid}}}\n",
        "migrate has ended with exit code 1. Its last lines:",
        "OperationalError",
        "./inv logs --service migrate",
    ),
    "environment": (
        "services: {migrate: {environment: {DJANGO_SECRET_KEY: pl4nted}}}\n",
        "migrate has ended with exit code 2. Its last lines:",
        "DJANGO_SECRET_KEY is malformed",
        "./inv logs --service migrate",
    ),
}


@pytest.mark.full
@pytest.mark.parametrize("case", OVERRIDES)
def test_unwell_container_shows_its_last_lines_and_the_next_step(
    checkout: Checkout, up: Said, tmp_path: Path, case: str
) -> None:
    override, sentence, line, step = OVERRIDES[case]
    with cleared(checkout.another(tmp_path / "other")) as other:
        (other.root / "override.yaml").write_text(override)
        said = other.inv("up", "--detach", env={"COMPOSE_FILE": "compose.yaml:override.yaml"})
        assert (said.code, said.out) == (1, "")
        assert sentence in said.error
        assert line in said.error
        assert step in said.error.splitlines()[-1]
        assert other.inv("ps").code == 1
        mended = other.inv("up", "--detach")
        assert mended.code == 0, mended.error
        assert other.inv("ps").code == 0


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_on_a_terminal_is_taken_down_when_interrupted(
    checkout: Checkout, up: Said, tmp_path: Path, number: signal.Signals
) -> None:
    with cleared(checkout.another(tmp_path / "other")) as other, other.start("up") as process:
        assert process.stdout
        assert process.stdout.readline().startswith(f"{other.project} is up.")
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert other.containers() == []
        assert other.volumes() == [f"{other.project}_database"]


@pytest.mark.full
def test_up_that_is_interrupted_while_it_starts_leaves_nothing(checkout: Checkout, up: Said, tmp_path: Path) -> None:
    with cleared(checkout.another(tmp_path / "other")) as other, other.start("up", "--detach") as process:
        deadline = time.monotonic() + 30
        while not other.containers():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert other.containers() == []


@pytest.mark.full
def test_down_keeps_the_data_unless_it_is_told(checkout: Checkout, up: Said, tmp_path: Path) -> None:
    with cleared(checkout.another(tmp_path / "other")) as other:
        assert other.inv("up", "--detach", "--demo").code == 0
        assert (other.inv("down").out, other.containers()) == (f"{other.project} is down.\n", [])
        assert other.volumes() == [f"{other.project}_database"]
        assert "admin is there already" in other.inv("up", "--detach", "--demo").out
        unasked = other.inv("down", "--volumes")
        assert (unasked.code, unasked.error.splitlines()[0]) == (2, "nobody is there to ask.")
        assert other.containers() != []
        said = other.inv("down", "--volumes", "--yes")
        assert (said.code, said.out) == (0, f"{other.project} is down, and its data is gone.\n")
        assert (other.containers(), other.volumes()) == ([], [])
        none = other.inv("ps")
        assert (none.code, none.out) == (1, f"No container of {other.project} stands: ./inv up\n")
        assert other.inv("shell").error.startswith("no container of app runs.\n")


@pytest.mark.parametrize("words", [["up"], ["down"], ["ps"], ["logs"], ["shell"]])
def test_engine_that_does_not_run_is_one_sentence(tmp_path: Path, words: Sequence[str]) -> None:
    other = checkout_in(tmp_path / "other")
    said = other.inv(*words, env={"DOCKER_HOST": "unix:///nonexistent"})
    assert (said.code, said.out) == (2, "")
    assert said.error == (
        "no Docker engine answers at unix:///nonexistent: does it run?\n"
        "  Start it: systemctl start docker. Without containers: ./inv serve\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up", "--profile", "bastoin"], "compose.yaml has no profile bastoin.\n  There is: aws, bastion.\n"),
        (
            ["logs", "--service", "ap"],
            "compose.yaml has no service ap.\n"
            "  There is: app, app-from-ssm, aws, bastion, migrate, parameters, postgres.\n",
        ),
        (["shell", "--service", "ap"], "compose.yaml has no service ap.\n"),
    ],
)
def test_what_compose_does_not_know_is_refused(engine: None, tmp_path: Path, words: Sequence[str], said: str) -> None:
    found = checkout_in(tmp_path / "other").inv(*words)
    assert (found.code, found.out) == (2, "")
    assert found.error.startswith(said)


def test_port_that_somebody_else_has_is_refused(engine: None, tmp_path: Path) -> None:
    other = checkout_in(tmp_path / "other")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(other.ports["BASTION_PORT"])))
        taken.listen()
        said = other.inv("up", "--profile", "bastion")
    assert (said.code, said.out) == (2, "")
    assert said.error.startswith(f"port {other.ports['BASTION_PORT']}, where bastion is to be reached, cannot be used:")
    assert "BASTION_PORT=" in said.error


@pytest.mark.parametrize(
    ("text", "said"), [("services: [", "compose.yaml cannot be used: "), (None, "there is no compose.yaml in ")]
)
def test_compose_file_that_is_none(engine: None, tmp_path: Path, text: str | None, said: str) -> None:
    other = checkout_in(tmp_path / "other")
    (other.root / "compose.yaml").unlink()
    if text:
        (other.root / "compose.yaml").write_text(text)
    found = other.inv("up")
    assert (found.code, found.out) == (2, "")
    assert found.error.startswith(said)


def test_registry_agrees_with_compose() -> None:
    said = inv("env-check")
    assert [line for line in said.out.splitlines() if line.startswith("compose.yaml")] == []
    assert said.code == 0, said.out
