"""`migrate-rehearse --image` as a person types it: what others could read meanwhile, signals, and bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from greenroom.docker_refusals import SHOWS_IMAGES
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.lease import Lease
from greenroom.rehearsal.inside.container import Container, made
from greenroom.rehearsal.inside.image import chosen
from tests.integration.projects import PASSWORD, branches_of, shop, write_project
from tests.integration.small_images import BASE, SHOP, WITH_DJANGO, built, containers, needed

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("containers"), pytest.mark.usefixtures("engine")]

ROOT = Path(__file__).parents[2]
HARMLESS = "migrations.AddField('Line', 'extra', models.IntegerField(null=True))"
ASLEEP = """
def sleep(apps, editor):
    with editor.connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(600)")
    time.sleep(600)
"""
NOWHERE = ["--url", "postgresql://nobody@127.0.0.1:9/nothing"]  # whatever is refused must be so before it is reached


@pytest.fixture(scope="module")
def engine() -> None:
    needed()


@pytest.fixture(scope="module")
def source(server18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server18, tmp_path_factory.mktemp("initial"), rows=2000, name="contained") as address:
        yield address


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"), "migrations.RunPython(sleep)", before=ASLEEP)


@pytest.fixture(scope="module")
def image(project: Path) -> Iterator[str]:
    with built(project) as name:
        yield name


def command(tmp_path: Path, task: str, *words: object, **environment: str) -> subprocess.Popen[str]:
    """With a home and a place for throw-away data that nobody else has."""
    mine = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path / "scratch"), "PGPASSWORD": PASSWORD, **environment}
    (tmp_path / "scratch").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "greenroom", task, *map(str, words)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **mine},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(tmp_path: Path, *words: object, task: str = "migrate-rehearse", **environment: str) -> tuple[int, str, str]:
    child = command(tmp_path, task, *words, **environment)
    out, error = child.communicate(timeout=120)
    assert "Traceback" not in error and PASSWORD not in out + error, error
    assert containers() == []
    return child.returncode, out, error


def of(source: Address, project: Path) -> list[str]:
    named = ["--url", str(source), "--project", str(project), "--settings", "shop_settings"]
    return [*named, "--template", "--drills", "none"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base under a name of this process."""
    with built(tmp_path_factory.mktemp("plain"), f"FROM {BASE}\n") as name:
        yield name


@contextmanager
def asleep(tmp_path: Path, source: Address, project: Path, image: str) -> Iterator[subprocess.Popen[str]]:
    """A rehearsal in the middle of its migration, which does not end by itself."""
    words = [*of(source, project), "--image", image, "--report-dir", tmp_path / "reports"]
    child = command(tmp_path, "migrate-rehearse", *words)
    try:
        deadline = time.monotonic() + 60
        while not _sleeps(source):
            assert child.poll() is None, child.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield child
    finally:
        child.terminate()
        child.communicate(timeout=60)
        for name in containers():
            subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)


def _sleeps(source: Address) -> bool:
    with psycopg.connect(**source.parameters) as connection:
        asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 600"
        return connection.execute(asked).fetchone() == (1,)


def programs(tmp_path: Path) -> list[str]:
    """Command lines that name a place of ours, or speak to a container from a process that has its place there."""
    found, scratch = [], str(tmp_path / "scratch")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, told = (
                (process / name).read_bytes().replace(b"\0", b" ").decode(errors="replace")
                for name in ("cmdline", "environ")
            )
        except OSError:
            continue
        if scratch in words or ("greenroom-agent-" in words and scratch in told):
            found.append(words)
    return found


def kept(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "scratch").glob("greenroom-*/*")]


def test_nobody_reads_a_secret_and_the_container_is_as_decided(
    tmp_path: Path, source: Address, project: Path, image: str
) -> None:
    with asleep(tmp_path, source, project, image):
        [name] = containers()
        shown = subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=True).stdout
        running = programs(tmp_path)
    [told] = json.loads(shown)
    assert len(running) == 2, running  # the way to the copy, and docker's command
    assert PASSWORD not in shown + "".join(running)
    host, config = told["HostConfig"], told["Config"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["CapDrop"]) == ("none", True, ["ALL"])
    assert (host["LogConfig"]["Type"], host["SecurityOpt"], host["AutoRemove"]) == ("none", ["no-new-privileges"], True)
    assert (config["User"], config["Healthcheck"]["Test"]) == ("10001:10001", ["NONE"])
    assert json.loads(config["Labels"]["greenroom.lease"])["source"] == image
    assert {(mount["Destination"], mount["RW"]) for mount in told["Mounts"]} == {("/greenroom", False)}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_leaves_nothing(
    tmp_path: Path, source: Address, project: Path, image: str, number: int, code: int
) -> None:
    with asleep(tmp_path, source, project, image) as child:
        child.send_signal(number)
        child.communicate(timeout=60)
        assert (child.returncode, containers(), branches_of(source)) == (code, [], [])
        assert (programs(tmp_path), kept(tmp_path)) == ([], [])


def test_killed_one_is_found_by_its_lease_and_reaped(
    tmp_path: Path, source: Address, project: Path, image: str
) -> None:
    with asleep(tmp_path, source, project, image) as child:
        child.kill()
        child.communicate(timeout=60)
        [name] = containers()
        listed = command(tmp_path, "db-list").communicate(timeout=60)[0]
        [line] = [line for line in listed.splitlines() if line.startswith(name)]
        assert line.split()[1:3] == ["container", "docker"] and line.endswith("creator died")
        reaped = said(tmp_path, "--yes", task="db-reap")
        assert reaped[0] == 0 and f"dropped {name}" in reaped[1], reaped
        assert branches_of(source) == []
    deadline = time.monotonic() + 10
    while programs(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert programs(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "first", "next_step"),
    [
        (
            ["--image", "shop:absent"],
            "there is no image shop:absent here.",
            "Build it: ./inv build; or fetch it: docker pull shop:absent",
        ),
        (["--image", f"shop@sha256:{'0' * 64}"], f"there is no image shop@sha256:{'0' * 64} here.", "Build it: "),
        (["--base-image", "shop:absent"], "there is no image shop:absent here.", "Fetch it: docker pull shop:absent"),
        (["--image", "V2"], "there is no image ledger:V2 here.", "Build it: "),
        (["--image", "absent"], "there is no image ledger:absent here.", "Build it: "),
        (
            ["--image", "PLAIN", "--python", sys.executable],
            "--python is an interpreter of this machine, and with --image the image's own runs.",
            "Leave one of them out; ",
        ),
        (
            ["--image", "PLAIN", "--base-image", "PLAIN"],
            "PLAIN is the image that is rehearsed: there is no older release to drill with.",
            "Name the release that is running: --base-image IMAGE",
        ),
        (
            ["--image", "PLAIN"],
            "the project does not come up in PLAIN: ModuleNotFoundError: No module named 'django'",
            "It was looked for in /; [tool.greenroom.project.image] has directory, settings, and environment.",
        ),
    ],
)
def test_bad_option(tmp_path: Path, plain: str, words: list[str], first: str, next_step: str) -> None:
    words, first = [word.replace("PLAIN", plain) for word in words], first.replace("PLAIN", plain)
    code, _, error = said(tmp_path, *words, *NOWHERE)
    assert code == 2 and first in error and next_step in error, error


@pytest.mark.parametrize("option", ["--image", "--base-image"])
def test_what_can_be_no_image_is_spoken_of_as_it_was_typed(tmp_path: Path, option: str) -> None:
    code, _, error = said(tmp_path, option, "not an image", *NOWHERE)
    sentence = "Docker's engine could not look for the image not an image: invalid reference format."
    assert (code, error) == (2, f"{sentence}\n  {SHOWS_IMAGES}\n")


def test_no_engine(tmp_path: Path) -> None:
    code, _, error = said(tmp_path, "--image", BASE, *NOWHERE, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert code == 2
    assert "no Docker engine answers at unix:///nonexistent/docker.sock: does it run?" in error


def test_no_docker_command(tmp_path: Path) -> None:
    code, _, error = said(tmp_path, "--image", BASE, *NOWHERE, PATH=str(tmp_path))
    assert (code, "the command docker is not on this machine." in error) == (2, True), error


@pytest.mark.parametrize(
    ("dockerfile", "settings", "first"),
    [
        (
            f"{WITH_DJANGO}\nWORKDIR /elsewhere\n",
            "shop_settings",
            "The settings module shop_settings cannot be imported: ModuleNotFoundError: No module named 'shop_se",
        ),
        (SHOP, "broken", "The settings module broken cannot be imported: ImproperlyConfigured: THE_KEY is not set"),
        (SHOP, "leaving", "The settings module leaving cannot be imported: SystemExit: THE_KEY is not set"),
        (SHOP.replace("ENV", "ENV PYTHONHOME=/nonexistent "), "shop_settings", "ended before the project was read"),
        ("FROM scratch\nCOPY shop_settings.py /\n", "shop_settings", "there is no program python that could be run in"),
    ],
)
def test_image_that_the_project_does_not_come_up_in(tmp_path: Path, dockerfile: str, settings: str, first: str) -> None:
    project = write_project(tmp_path / "project", HARMLESS)
    (project / "broken.py").write_text(
        "from django.core.exceptions import ImproperlyConfigured\nraise ImproperlyConfigured('THE_KEY is not set')\n"
    )
    (project / "leaving.py").write_text("raise SystemExit('THE_KEY is not set')\n")
    with built(project, dockerfile) as name:
        words = ["--project", project, "--settings", settings, "--image", name]
        code, _, error = said(tmp_path, *words, *NOWHERE)
    assert code == 2 and first in error and name in error, error


def test_image_for_other_processors(tmp_path: Path) -> None:
    """Of a program for arm64 that this machine refuses to run."""
    if os.uname().machine != "x86_64":
        pytest.skip("is made for a machine that is no arm64 itself")
    context = tmp_path / "context"
    context.mkdir()
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00\x01\x00\x00\x00" + bytes(200)
    (context / "python").write_bytes(header)
    (context / "python").chmod(0o755)
    with built(context, "FROM scratch\nCOPY python /bin/\nENV PATH=/bin\n", "--platform", "linux/arm64") as name:
        code, _, error = said(tmp_path, "--image", name, *NOWHERE)
    assert code == 2
    assert f"{name} is an image for arm64, and this machine is amd64, which has no emulator for it." in error


def test_image_that_is_removed_in_between(tmp_path: Path, project: Path) -> None:
    with built(project) as name:
        found = chosen(name)
    gone = Container(found, "python", Lease.new(branch="fix", source=name, hours=1))
    with pytest.raises(GreenroomError) as refused, made(gone):
        pass
    assert refused.value.sentence.startswith(f"Docker could not make a container of {name}: ")
    assert containers() == []
