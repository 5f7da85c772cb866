"""`./inv up` and what goes with it, typed, on the real engine: the app as in production, its bastion, its SSM."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.compose_stage import PASSWORD, Checkout, checkout, cleared, engine, pending, run, up
from tests.integration.running import INV, Said, chromium_needed, environment

pytestmark = pytest.mark.xdist_group("containers")

__all__ = ["checkout", "engine", "pending", "up"]


def member(said: Said) -> dict[str, str]:
    """The admin user that was made."""
    found = re.search(
        r"^log in as (\S+) with the password (\S+) \(made now, and shown this once\)$", said.out, re.MULTILINE
    )
    assert found, said.out
    return {"GREENROOM_SMOKE_USER": found[1], "GREENROOM_SMOKE_PASSWORD": found[2]}


@pytest.mark.full
def test_up_waits_until_all_are_healthy_and_says_where_they_are(checkout: Checkout, up: Said) -> None:
    assert up.out.splitlines()[1:5] == [
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


ANSWERS_AND_IS_UNWELL = "until python -I config/healthcheck.py 8000; do sleep 0.1; done; false"
OVERRIDES = {
    "unhealthy": (
        f"services: {{app: {{healthcheck: {{test: [CMD-SHELL, '{ANSWERS_AND_IS_UNWELL}'], timeout: 60s, retries: 1, "
        "interval: 300ms, start_period: 1ms}}}\n",
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
        assert (unasked.code, unasked.error) == (2, "nobody is there to ask.\n  Add --yes to do it.\n")
        assert other.containers() != []
        said = other.inv("down", "--volumes", "--yes")
        assert (said.code, said.out) == (0, f"{other.project} is down, and its data is gone.\n")
        assert (other.containers(), other.volumes()) == ([], [])
        none = other.inv("ps")
        assert (none.code, none.out) == (1, f"No container of {other.project} stands: ./inv up\n")
        assert other.inv("shell").error.startswith("no container of app runs.\n")
