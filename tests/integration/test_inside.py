"""A rehearsal in the image that will ship: as without one, with the image's own Python, in a sealed container."""

from __future__ import annotations

import platform
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom.config import Config, DatabaseVariables, InImage, Project
from greenroom.console import Silent
from greenroom.copies.acquiring import CopyRequest
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.rehearsal.document import Budget, DrillName, Rehearsal
from greenroom.rehearsal.inside import image as images
from greenroom.rehearsal.rehearse import rehearse
from greenroom.rehearsal.request import Request
from tests.hazards import releases
from tests.integration.certified import certified
from tests.integration.projects import PASSWORD, branches_of, requested, shop, write_project
from tests.integration.small_images import SHOP, USER, built, containers, needed

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("containers"), pytest.mark.usefixtures("engine")]

ROWS = 60_000
INDEX = "migrations.AddIndex('line', models.Index(fields=['quantity'], name='line_quantity'))"
HARMLESS = "migrations.AddField('Line', 'extra', models.IntegerField(null=True))"
SLOW = "migrations.RunSQL('LOCK TABLE shop_line', ''), migrations.RunSQL('SELECT pg_sleep(0.4)', '')"
# its locks are looked at from outside, which needs some time
CONCURRENTLY = (
    "migrations.RunSQL('CREATE INDEX CONCURRENTLY line_quantity ON shop_line (md5(repeat(quantity::text, 2000)))', '')"
)
BUDGET = Budget(read_ms=1000, write_ms=1000, timeout_seconds=60)


@pytest.fixture(scope="module")
def engine() -> None:
    needed()


@pytest.fixture(scope="module")
def source(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with shop(server, tmp_path_factory.mktemp("initial"), rows=ROWS, name="inside") as address:
        yield address


def rehearsed(
    source: Address, project: Path, image: str | None, *drills: DrillName, facts: Project | None = None, **how: object
) -> Rehearsal:
    found = images.chosen(image) if image else None
    request = requested(source, project, facts=facts, branch="inside", image=found, budget=BUDGET, drills=drills)
    rehearsal = rehearse(replace(request, **how), Silent())  # type: ignore[arg-type]
    assert containers() == []
    assert branches_of(source) == []
    return rehearsal


def seen(rehearsal: Rehearsal) -> dict[str, object]:
    """What must be the same, wherever the project ran."""
    runs = [
        (run.name, run.status, [(s.sql, s.locks and s.locks[-1].mode) for s in run.statements])
        for run in rehearsal.migrations
    ]
    return {
        "verdict": rehearsal.verdict,
        "plan": rehearsal.plan,
        "migrations": runs,
        "findings": sorted((f.hazard, f.severity, f.table) for f in rehearsal.findings),
        "drills": [(d.name, d.status, [(s.what, s.status) for s in d.steps]) for d in rehearsal.drills],
        "refused": rehearsal.fidelity.refused,
        "role": rehearsal.fidelity.role,
        "error": rehearsal.error and (rehearsal.error.exception, rehearsal.error.sqlstate, rehearsal.error.statement),
    }


@pytest.mark.parametrize(
    ("operations", "verdict"),
    [([HARMLESS, INDEX], "warn"), ([HARMLESS, "migrations.RunSQL('SELECT 1 / 0')"], "fail")],
)
def test_image_is_rehearsed_as_the_project_here_is(
    source: Address, tmp_path: Path, operations: list[str], verdict: str
) -> None:
    project = write_project(tmp_path, *operations)
    with built(project) as name:
        inside = rehearsed(source, project, name, "back", "lock-queue")
    here = rehearsed(source, project, None, "back", "lock-queue")
    assert seen(inside) == seen(here)
    assert (inside.verdict, here.image) == (verdict, None)
    assert inside.image and (inside.image.name, inside.image.user) == (name, USER)
    assert inside.image.id.startswith("sha256:") and inside.image.digest is None
    assert inside.fidelity.python and inside.fidelity.python.startswith("3.13.")
    assert here.fidelity.python == platform.python_version()
    if inside.error and here.error:
        assert inside.error.frames == here.error.frames


def test_crash_in_the_image_is_found_as_here(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, f"{CONCURRENTLY}, {HARMLESS}", atomic=False)
    with built(project) as name:
        inside = rehearsed(source, project, name, "crash")
    assert seen(inside) == seen(rehearsed(source, project, None, "crash"))
    assert inside.drills[0].steps and "H06" in {finding.hazard for finding in inside.findings}


def test_twin_is_written_and_rehearsed_in_the_image(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, f"migrations.RunSQL('SELECT pg_sleep(0)'), {INDEX}", SLOW)
    tight = Budget(read_ms=1, write_ms=1, timeout_seconds=60)
    with built(project) as name:
        inside = rehearsed(source, project, name, try_twin=True, budget=tight)
    here = rehearsed(source, project, None, try_twin=True, budget=tight)
    told = [(twin.migration, twin.status, twin.reason, [file.text for file in twin.files]) for twin in inside.twins]
    assert told == [
        (twin.migration, twin.status, twin.reason, [file.text for file in twin.files]) for twin in here.twins
    ]
    assert any(files for _, _, _, files in told), told


SEALED = '''
import os
import socket


def look(apps, editor):
    """Whoever finds something else than this fails, and the rehearsal with it."""
    status = dict(line.rstrip().split(":", 1) for line in open("/proc/self/status"))
    assert os.getuid() == 10001, os.getuid()
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0, status
    assert status["NoNewPrivs"].strip() == "1"
    interfaces = [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line]
    assert interfaces == ["lo"], interfaces
    for place in (".", "/", "/greenroom", "/greenroom/agent"):
        try:
            open(os.path.join(place, "written"), "w")
        except OSError:
            continue
        raise AssertionError(place)
    open("/tmp/written", "w").close()
    with open("/proc/1/environ") as environment, open("/proc/1/cmdline") as words:
        assert "planted" not in environment.read() + words.read()
    assert os.environ["GIVEN"] == "by the configuration"
    assert len(os.environ["SECRET"]) >= 50
    for mount in open("/proc/self/mountinfo"):
        assert "docker.sock" not in mount
'''


def test_container_is_sealed(source: Address, tmp_path: Path) -> None:
    project = write_project(tmp_path, "migrations.RunPython(look)", before=SEALED)
    facts = Project(
        directory=project, image=InImage(environment={"GIVEN": "by the configuration"}, generated=["SECRET"])
    )
    with built(project) as name:
        rehearsal = rehearsed(source, project, name, facts=facts)
    assert rehearsal.error is None, rehearsal.error
    assert rehearsal.fidelity.notes[-1:] == [f"the project ran in {name}: its files read-only, no network but the copy"]


def test_image_that_names_no_user_runs_as_root_without_capabilities_and_that_is_noted(
    source: Address, tmp_path: Path
) -> None:
    project = write_project(tmp_path, "migrations.RunPython(look)", before=SEALED.replace("10001", "0"))
    facts = Project(
        directory=project, image=InImage(environment={"GIVEN": "by the configuration"}, generated=["SECRET"])
    )
    with built(project, SHOP.replace(f"USER {USER}", "")) as name:
        rehearsal = rehearsed(source, project, name, facts=facts)
    assert rehearsal.error is None, rehearsal.error
    assert (
        rehearsal.fidelity.notes[-1]
        == f"{name} names no user: the project ran as root, without any of root's capabilities"
    )


def test_project_elsewhere_in_the_image_with_variables_of_its_own(source: Address, tmp_path: Path) -> None:
    """All of `[tool.greenroom.project.image]`, and a database that is told by variables."""
    project = write_project(tmp_path, HARMLESS)
    told = "import os\nSECRET_KEY = os.environ['KEY']\n"
    told += "".join(
        f"DATABASES['default']['{key}'] = os.environ['DB_{key}']\n" for key in ("HOST", "PORT", "NAME", "USER")
    )
    told += "DATABASES['default']['PASSWORD'] = os.environ['DB_PASSWORD']\n"
    (project / "as_shipped.py").write_text("from shop_settings import *\n" + told)
    names = DatabaseVariables(host="DB_HOST", port="DB_PORT", name="DB_NAME", user="DB_USER", password="DB_PASSWORD")
    own = InImage(settings="as_shipped", directory="/srv/shop", python="python3", generated=["KEY"])
    facts = Project(directory=project, settings="absent", database_variables=names, image=own)
    with built(project, SHOP.replace("USER", "WORKDIR /\nUSER")) as name:
        rehearsal = rehearsed(source, project, name, facts=facts)
    assert (rehearsal.verdict, rehearsal.fidelity.python and rehearsal.fidelity.python[:4]) == ("pass", "3.13")


def test_server_with_a_certificate_is_verified_from_inside(tmp_path: Path) -> None:
    """The name that the certificate is made out to is the server's there too; the authority's file goes along."""
    project = write_project(tmp_path / "project", f"migrations.RunPython(look), {HARMLESS}", before=_VERIFIED)
    with (
        certified(tmp_path / "tls", "localhost") as (server, certificate),
        shop(server, tmp_path / "initial", rows=100, name="tls") as source,
        built(project) as name,
    ):
        options = {"sslmode": "verify-full", "sslrootcert": str(certificate)}
        by_name = replace(source, host="localhost", options=options)
        query = "&".join(f"{key}={value}" for key, value in options.items())
        url = f"postgresql://{source.user}:{PASSWORD}@localhost:{source.port}/{source.database}?{query}"
        facts = Project(directory=project, settings="shop_settings")
        config = Config(root=project, project=facts)
        copy = CopyRequest(config=config, project=facts, url=url, template=True)
        rehearsal = rehearse(Request(config, facts, copy, images.chosen(name), budget=BUDGET, drills=()), Silent())
        assert branches_of(by_name) == []
    assert rehearsal.error is None, rehearsal.error


_VERIFIED = """
def look(apps, editor):
    with editor.connection.cursor() as cursor:
        cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert cursor.fetchone() == (True,)
    known = editor.connection.connection.info.get_parameters()
    assert (known["host"], known["sslmode"]) == ("localhost", "verify-full"), known
"""


# -- the running release beside it


def released(source: Address, project: Path, image: str, **how: object) -> Rehearsal:
    facts, found = Project(directory=project, settings="stock_settings"), images.chosen(image)
    asked = {"image": found, "budget": BUDGET, "drills": ("old-release",)}
    request = requested(source, project, facts=facts, branch="inside", **asked)
    return rehearse(replace(request, **how), Silent())  # type: ignore[arg-type]


STOCK = SHOP.replace("shop_settings", "stock_settings") + 'LABEL org.opencontainers.image.revision="{}"\n'


def test_both_releases_in_their_images(server: Server, tmp_path: Path) -> None:
    with (
        releases.stock(server, tmp_path / "project", "C01") as (source, project),
        built(project, STOCK.format("c0ffee")) as running,
    ):
        releases.release(project, releases.HERE / "C01" / "new")
        with built(project, STOCK.format("")) as shipping:
            rehearsal = released(source, project, shipping, base_image=running)
    [drill] = rehearsal.drills
    assert drill.release and (drill.release.name, drill.release.commit) == (running, "c0ffee")
    assert drill.status == "failed" and drill.reason.startswith(f"{running} (in its own image): stock.Item cannot read")
    assert {finding.hazard for finding in rehearsal.findings if finding.drill} == {"C01"}
    assert containers() == []


def test_new_release_is_the_commit_that_the_image_says(server: Server, tmp_path: Path) -> None:
    """Not what is checked out: the tag of the image's own commit is no older release; with changes it is one."""
    with releases.stock(server, tmp_path / "project", "C01") as (source, project):
        releases.release(project, releases.HERE / "C01" / "new")
        commit = releases.git(project, "rev-parse", "HEAD").strip()
        releases.git(project, "tag", "v2")
        releases.git(project, "commit", "--allow-empty", "--quiet", "--message", "later")
        with built(project, STOCK.format(commit)) as name:
            with pytest.raises(GreenroomError) as same:
                released_checked(source, project, name, base="v2")
            unasked = released(source, project, name)
        with built(project, STOCK.format(f"{commit}-dirty")) as name:
            changed = released(source, project, name, base="v2")
    assert same.value.sentence == "v2 is the commit that is in the image: there is no older release to drill with."
    assert unasked.drills[0].reason.startswith("v1 (no pins, so the present environment): stock.Item cannot read")
    assert any(
        note.startswith(f"{unasked.image.name} was built from {commit[:10]}, and ") for note in unasked.fidelity.notes
    )  # type: ignore[union-attr]
    assert changed.drills[0].reason.startswith("v2 (no pins, so the present environment)")


def released_checked(source: Address, project: Path, image: str, **how: object) -> None:
    from greenroom.rehearsal import drills

    facts = Project(directory=project, settings="stock_settings")
    config = Config(root=project, project=facts)
    copy = CopyRequest(config=config, project=facts, url="postgresql://nobody@nowhere.invalid/x")
    request = Request(config, facts, copy, images.chosen(image), budget=BUDGET)
    drills.refuse_unknown(replace(request, **how))  # type: ignore[arg-type]


def test_running_release_in_the_image_that_is_rehearsed_is_refused(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    with built(project) as name:
        other = f"greenroom-test-inside:{secrets.token_hex(4)}"
        subprocess.run(["docker", "tag", name, other], check=True)
        try:
            with pytest.raises(GreenroomError) as refused:
                released_checked(Address("h", 1, "d", "u"), project, name, base_image=other)
        finally:
            subprocess.run(["docker", "image", "rm", other], check=True, capture_output=True)
    assert refused.value.sentence == (
        f"{other} is the image that is rehearsed: there is no older release to drill with."
    )
