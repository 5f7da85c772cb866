"""A container of the agent as it is decided: what it may, what it is told, and what nobody can read of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.config import Config, DatabaseVariables, InImage, Project
from greenroom.copies.acquiring import Acquired, CopyRequest
from greenroom.docker import Image
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import ServerFacts
from greenroom.rehearsal.inside import image as images
from greenroom.rehearsal.inside.address import endpoint
from greenroom.rehearsal.inside.container import Container, creating
from greenroom.rehearsal.launch import Launch, launch
from greenroom.rehearsal.request import Request
from greenroom.secret import Secret

IMAGE = Image("shop:1", {}, id="sha256:abc", user="10001", directory="/srv", architecture="amd64", machine="amd64")
NAMES = DatabaseVariables(host="DB_HOST", port="DB_PORT", name="DB_NAME", user="DB_USER", password="DB_PASSWORD")
LEASE = Lease.new(branch="fix", source="shop:1", hours=1)


def launched(project: Project, copy: Address, image: Image = IMAGE, **how: object) -> Launch:
    acquired = Acquired(
        kind="branch",
        method="pipe",
        name=copy.database,
        label=copy.server,
        address=copy,
        admin=copy,
        lease_id="lease-1",
        facts=ServerFacts("18.1", 180001, "UTC", tls=True),
    )
    config = Config(root=Path("/somewhere"), project=project)
    return launch(Request(config, project, CopyRequest(config, project), image, **how), acquired)  # type: ignore[arg-type]


def address(host: str, **options: str) -> Address:
    return Address(host, 5433, "copy", "owner", Secret("p@ss"), options)


def told(start: Launch) -> tuple[object, object]:
    database = start.request["database"]
    assert isinstance(database, dict)
    return database["host"], start.request["allowed"]


@pytest.mark.parametrize(
    ("host", "inside", "there"),
    [
        ("db.example.com", "db.example.com", "db.example.com:5433"),
        ("localhost", "localhost", "localhost:5433"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1:5433"),
        ("10.0.0.7", "127.0.0.1", "10.0.0.7:5433"),
        ("fd00::7", "127.0.0.1", "fd00::7:5433"),
        ("/var/run/postgresql", "127.0.0.1", "/var/run/postgresql/.s.PGSQL.5433"),
    ],
)
def test_app_is_told_a_name_as_it_is_and_loopback_for_all_else(host: str, inside: str, there: str) -> None:
    start = launched(Project(), address(host))
    assert told(start) == (inside, [[inside, 5433]])
    assert start.container and start.container.copy and endpoint(start.container.copy) == there
    words = list(map(str, creating(start.container, Path("/private/mounted"))))
    assert ("--add-host" in words) == (host == "db.example.com")
    assert words[-3:] == ["127.0.0.1:5433", "/greenroom/copy", "/greenroom/agent"]


def test_address_behind_another_name_is_taken_as_the_app_here_would() -> None:
    start = launched(Project(), address("db.example.com", hostaddr="10.0.0.7", sslmode="verify-full"))
    assert told(start)[0] == "127.0.0.1"
    assert start.container and start.container.copy and endpoint(start.container.copy) == "10.0.0.7:5433"


@pytest.mark.parametrize("option", ["service", "sslkey", "passfile"])
def test_copy_behind_files_of_this_machine_is_refused(option: str) -> None:
    with pytest.raises(GreenroomError) as refused:
        launched(Project(), address("db.example.com", **{option: "mine"}))
    assert refused.value.sentence == f"the copy is reached by {option} of this machine, which a container has not."


def test_certificate_goes_along_and_the_systems_word_stays() -> None:
    for named, known in (("/etc/shop/ca.pem", "/greenroom/rootcert.pem"), ("system", "system")):
        database = launched(Project(), address("db.example.com", sslrootcert=named)).request["database"]
        assert isinstance(database, dict) and database["options"] == {"sslrootcert": known}


def test_everything_goes_by_the_request_and_secrets_are_known_to_be_such() -> None:
    own = InImage(settings="shop.prod", directory="/srv/shop", environment={"SSM": "false"}, generated=["KEY"])
    project = Project(settings="shop.test", environment={"SSM": "true", "A": "b"}, database_variables=NAMES, image=own)
    start = launched(project, address("127.0.0.1"))
    variables = start.request["environment"]
    assert isinstance(variables, dict) and start.environment == {}
    assert {**variables, "KEY": ""} == {
        **{"A": "b", "SSM": "false", "KEY": "", "DB_HOST": "127.0.0.1", "DB_PORT": "5433"},
        **{"DB_NAME": "copy", "DB_USER": "owner", "DB_PASSWORD": "p@ss"},
    }
    assert len(variables["KEY"]) == 64 and {"p@ss", "p%40ss", variables["KEY"]} <= set(start.secrets)
    assert [start.request[key] for key in ("project", "settings", "database")] == ["/srv/shop", "shop.prod", None]
    assert "p@ss" not in repr(start) and variables["KEY"] not in repr(start)
    assert start.container
    assert not {"p@ss", variables["KEY"]} & set(" ".join(map(str, creating(start.container, Path("/m")))).split())


@pytest.mark.parametrize(
    ("own", "variables", "settings"),
    [
        (InImage(), {}, "shop.test"),
        (InImage(), {"DJANGO_SETTINGS_MODULE": "shop.prod"}, None),
        (InImage(settings="mine"), {"DJANGO_SETTINGS_MODULE": "shop.prod"}, "mine"),
    ],
)
def test_settings_are_the_configured_ones_else_the_images_else_the_projects(
    own: InImage, variables: dict[str, str], settings: str | None
) -> None:
    image = Image("shop:1", variables, id="sha256:abc")
    start = launched(Project(settings="shop.test", image=own), address("127.0.0.1"), image)
    assert (start.request["settings"], start.request["project"]) == (settings, ".")


def test_container_is_sealed() -> None:
    shared = {Path("/private/a,b"): True, Path("/private/c"): False}
    words = list(map(str, creating(Container(IMAGE, "python3", LEASE, shared=shared), Path("/private/mounted"))))
    assert words[:5] == ["docker", "create", "--interactive", "--name", f"greenroom-agent-{LEASE.id}"]
    assert words[words.index("--label") + 1] == f"greenroom.lease={LEASE.comment()}"
    for pair in (
        ("--network", "none"),
        ("--cap-drop", "ALL"),
        ("--security-opt", "no-new-privileges"),
        ("--log-driver", "none"),
        ("--pull", "never"),
        ("--tmpfs", "/tmp"),
    ):
        assert words[words.index(pair[0]) + 1] == pair[1]
    assert {"--read-only", "--rm", "--no-healthcheck"} <= set(words)
    assert [words[at + 1] for at, word in enumerate(words) if word == "--mount"] == [
        '"type=bind","source=/private/mounted","target=/greenroom","readonly"',
        '"type=bind","source=/private/a,b","target=/private/a,b"',
        '"type=bind","source=/private/c","target=/private/c","readonly"',
    ]
    assert words[-4:] == ["--entrypoint", "python3", "sha256:abc", "/greenroom/agent"]


def test_network_is_the_engines_own_where_the_app_may_have_one() -> None:
    start = launched(Project(), address("127.0.0.1"), allow_network=True)
    assert start.container
    words = list(map(str, creating(start.container, Path("/m"))))
    assert words[words.index("--network") + 1] == "bridge"


@pytest.mark.parametrize(("user", "root"), [("", True), ("0:0", True), ("root", True), ("10001:10001", False)])
def test_image_that_runs_as_root(user: str, root: bool) -> None:
    assert images.runs_as_root(Image("shop:1", {}, user=user)) is root


@pytest.mark.parametrize(
    ("name", "ours", "asked"),
    [
        ("v1.2_3--rc", "ledger", ["ledger:v1.2_3--rc", "v1.2_3--rc"]),
        ("v1..2", "ledger", ["ledger:v1..2"]),  # a tag, and no name
        ("latest", "ledger", ["ledger:latest", "latest"]),
        ("701f2a6694f5", "ledger", ["ledger:701f2a6694f5", "701f2a6694f5"]),
        ("V2", "ledger", ["ledger:V2"]),  # a name has no capitals
        ("x" * 128, "ledger", [f"ledger:{'x' * 128}", "x" * 128]),
        ("x" * 129, "ledger", ["x" * 129]),
        ("not an image", "ledger", ["not an image"]),
        ("-v1", "ledger", ["-v1"]),
        ("v1\n", "ledger", ["v1\n"]),
        ("ledger:v1", "ledger", ["ledger:v1"]),
        ("shop/ledger", "ledger", ["shop/ledger"]),
        (f"ledger@sha256:{'0' * 64}", "ledger", [f"ledger@sha256:{'0' * 64}"]),
        ("V2", "", ["V2"]),
        ("latest", "", ["latest"]),
    ],
)
def test_name_is_a_tag_of_ours_only_where_it_can_be_one(name: str, ours: str, asked: list[str]) -> None:
    assert images.meant(name, ours) == asked
