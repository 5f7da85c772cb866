"""Targets: pulled here (LOCAL) and branched on their own server (REMOTE), directly and through a VPN host."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom import config as configuration
from greenroom.console import Display, Silent
from greenroom.copies.acquiring import Acquired, CopyRequest, acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import inventory, kept, snapshots
from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.server import connect
from tests.integration.bastion import Bastion, bastion, needed
from tests.integration.certified import certified
from tests.integration.shop import PLANTED, ROWS, Shop, shop

pytestmark = pytest.mark.full


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journal, snapshots and scratch of the test's own; the password stands in a variable."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    scratch = tmp_path / "scratch"
    scratch.mkdir(mode=0o711)
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("SHOP_PASSWORD", PLANTED)
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o711)


@pytest.fixture
def source(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made


@pytest.fixture
def vpn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    needed()
    with bastion(tmp_path / "bastion") as host:
        monkeypatch.setenv("HOME", str(host.home))
        yield host
        host.settle()


def wanted(source: Shop, *, how: dict[str, object] | None = None, **target: object) -> CopyRequest:
    """A request for `staging`, as pyproject.toml would have it."""
    address = source.address
    table = {"host": address.host, "port": address.port, "name": address.database, "user": address.user}
    table |= {"password_variable": "SHOP_PASSWORD", **target}
    tables = {"databases": {"staging": table}, "snapshots": {"limit_gb": 0}}
    config = configuration.parse(tables, Path.cwd())
    request = {"config": config, "project": config.project, "target": "staging", "branch": "fix_it", **(how or {})}
    return CopyRequest(**request)  # type: ignore[arg-type]


def is_whole(copy: Acquired, source: Shop) -> None:
    with connect(copy.address) as connection:
        assert connection.info.user == source.owner
        assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
        assert connection.execute("SHOW timezone").fetchone() == ("Europe/Berlin",)
        assert connection.execute("SELECT obj_description('goods'::regclass)").fetchone() == ("what is sold",)


class Heard(Display):
    """Remembers the phases."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)


def test_pull_restores_here_and_drops(source: Shop) -> None:
    before = source.state()
    with acquire(wanted(source), Silent()) as copy:
        is_whole(copy, source)
        assert (copy.kind, copy.method, copy.own_server) == ("dump copy", "copy", True)
        assert copy.source_facts and copy.facts.settings["TimeZone"] == copy.source_facts.settings["TimeZone"]
        assert copy.facts.settings["fsync"] == "on" and copy.facts.settings["wal_level"] == "replica"
    assert copy.dropped
    assert source.state() == before


def test_pull_through_vpn_host_streams_a_dump(source: Shop, vpn: Bastion) -> None:
    vpn.client(source.server.binaries)
    before, heard = source.state(), Heard()
    with acquire(wanted(source, via=vpn.via), heard) as copy:
        is_whole(copy, source)
        assert copy.method == "restore"
        assert not vpn.running(), "the connections are closed as soon as the rows are here"
    assert any(step.startswith(f"dumping {source.address.database} on ") for step in heard.steps)
    assert copy.dropped and source.state() == before


@pytest.mark.parametrize("remote", [False, True])
def test_subscription_stays_behind_the_vpn_host(
    source: Shop, vpn: Bastion, monkeypatch: pytest.MonkeyPatch, *, remote: bool
) -> None:
    """Even a superuser's dump there brings none."""
    vpn.client(source.server.binaries)
    assert source.admin.password
    who = {"user": source.admin.user, "password_variable": "BOSS"}
    monkeypatch.setenv("BOSS", source.admin.password.reveal())
    with source.subscribed(), acquire(wanted(source, via=vpn.via, how={"remote": remote}, **who), Silent()) as copy:
        assert copy.method == ("pipe" if remote else "restore")
        assert "not copied: the subscription theirs, so that the copy receives nothing" in copy.notes
        with connect(copy.admin) as connection:
            mine = "SELECT subname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = %s"
            assert connection.execute(mine, [copy.name]).fetchall() == []
    assert copy.dropped


def test_pull_by_file_leaves_nothing_on_the_host(source: Shop, vpn: Bastion) -> None:
    vpn.client(source.server.binaries)
    heard = Heard()
    with acquire(wanted(source, via=vpn.via, how={"via_file": True}), heard) as copy:
        is_whole(copy, source)
        assert vpn.leftovers() == []
    assert any(step.startswith("bringing the archive from ") for step in heard.steps)


def test_pull_without_pg_dump_on_the_host_goes_through_a_tunnel(source: Shop, vpn: Bastion) -> None:
    with acquire(wanted(source, via=vpn.via), Silent()) as copy:
        is_whole(copy, source)
    assert copy.method == "copy"
    told = r" has (no pg_dump|pg_dump [\d. and]+, older than the server \([\d.]+\)): copied through a tunnel$"
    assert any(re.search(told, note) for note in copy.notes)  # the host may have Debian's


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("12.20", r" has pg_dump 12\.20[\d. and]*, older than the server \({version}\): copied through a tunnel$"),
        ("99.1", r" has pg_dump 99\.1, whose archives pg_restore 18, the newest here, cannot read: copied through a"),
    ],
)
def test_pg_dump_on_the_host_that_does_not_fit_is_told_with_its_version(
    source: Shop, vpn: Bastion, version: str, why: str, *, remote: bool
) -> None:
    vpn.old_client(version)
    with acquire(wanted(source, via=vpn.via, how={"remote": remote}), Silent()) as copy:
        assert copy.source_facts and copy.method == "copy"
        assert any(re.search(why.format(version=copy.source_facts.version), note) for note in copy.notes)


@pytest.fixture
def with_tls(tmp_path: Path) -> Iterator[tuple[Shop, Path]]:
    """A shop on a server whose certificate is made out to `localhost`, and that certificate."""
    with certified(tmp_path / "tls", "localhost") as (server, certificate), shop(server) as made:
        yield made, certificate


@pytest.mark.parametrize("remote", [False, True])
def test_certificate_is_verified_from_here_behind_a_vpn_host(
    with_tls: tuple[Shop, Path], vpn: Bastion, *, remote: bool
) -> None:
    """The host's pg_dump could not: nothing of the authority lies there."""
    source, certificate = with_tls
    vpn.client(source.server.binaries)
    how = {"via": vpn.via, "host": "localhost", "sslmode": "verify-full", "how": {"remote": remote}}
    with acquire(wanted(source, sslrootcert=str(certificate), **how), Silent()) as copy:
        is_whole(copy, source)
        assert any("certificate is verified from here" in note for note in copy.notes)
        assert copy.method == "copy" and copy.source_facts and copy.source_facts.tls
    with pytest.raises(GreenroomError) as caught, acquire(wanted(source, sslrootcert="nowhere.pem", **how), Silent()):
        pass
    assert caught.value.sentence.endswith(f"nowhere.pem, which sslrootcert of {source.address.database} names.")


def test_certificate_that_is_made_out_to_another_name_is_refused(with_tls: tuple[Shop, Path]) -> None:
    source, certificate = with_tls
    asked = wanted(source, sslmode="verify-full", sslrootcert=str(certificate))
    with pytest.raises(GreenroomError) as caught, acquire(asked, Silent()):
        pass
    assert "127.0.0.1" in caught.value.sentence and "certificate" in caught.value.sentence


def test_pull_masks_and_leaves_rows_out(source: Shop) -> None:
    rules = {"masks": {"goods.name": "null"}}
    with pytest.raises(GreenroomError) as caught, acquire(wanted(source, **rules), Silent()):
        pass
    assert 'tool.greenroom.databases.staging.masks."goods.name"' in caught.value.sentence  # it is NOT NULL
    asked = wanted(source, masks={"goods.name": "text"}, exclude_data=["django_*"])
    with connect(source.address) as connection:
        connection.execute("INSERT INTO django_migrations VALUES (1, 'a', 'b')")
    with acquire(asked, Silent()) as copy, connect(copy.address) as connection:
        assert connection.execute("SELECT count(*) FROM goods WHERE name LIKE 'thing %'").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
        assert connection.execute("SELECT count(*) FROM django_migrations").fetchone() == (0,)
    assert "not copied: the rows of public.django_migrations" in copy.notes
    assert any(note.startswith("masked: public.goods.name as text") for note in copy.notes)


def test_nothing_of_an_old_value_lies_on_the_disk_of_a_kept_copy(source: Shop, tmp_path: Path) -> None:
    with acquire(wanted(source, masks={"goods.name": "text"}, how={"keep": True}), Silent()):
        pass
    try:
        assert len(kept.standing()) == 1
        found = subprocess.run(["grep", "-rl", "thing [0-9]", tmp_path], capture_output=True, text=True, check=False)
        assert found.stdout == ""
    finally:
        for standing in kept.standing():
            standing.drop()


def test_branch_is_made_beside_the_source_and_dropped(source: Shop) -> None:
    before = source.state()
    with connect(source.address), acquire(wanted(source, how={"remote": True}), Silent()) as copy:
        is_whole(copy, source)
        assert copy.name.startswith(f"{source.address.database}__fix_it_")
        assert copy.admin.port == source.address.port
    assert (copy.kind, copy.method, copy.dropped) == ("branch", "copy", True)
    assert source.state() == before


def test_branch_through_vpn_host_is_made_there(source: Shop, vpn: Bastion) -> None:
    vpn.client(source.server.binaries)
    before = source.state()
    with acquire(wanted(source, via=vpn.via, how={"remote": True}), Silent()) as copy:
        is_whole(copy, source)
        assert (copy.address.host, copy.label) == ("127.0.0.1", source.address.server)
    assert (copy.method, copy.dropped, source.state()) == ("pipe", True, before)
    assert any(note.startswith("what runs on it goes through ") for note in copy.notes)


def test_branch_through_a_tunnel_without_programs_there(source: Shop, vpn: Bastion) -> None:
    with acquire(wanted(source, via=vpn.via, how={"remote": True}), Silent()) as copy:
        is_whole(copy, source)
    assert (copy.method, copy.dropped) == ("copy", True)


def test_kept_pull_runs_on_and_is_dropped_by_name(source: Shop) -> None:
    with acquire(wanted(source, how={"keep": True}), Silent()) as copy:
        pass
    try:
        is_whole(copy, source)
        assert copy.environment and PLANTED not in copy.environment.read_text()
        assert [(found.name, found.state) for found in kept.standing()] == [(copy.name, "kept")]
    finally:
        for found in kept.standing():
            found.drop()
    assert kept.standing() == [] and not copy.dropped


def test_kept_pull_of_a_sensitive_target_needs_rules(source: Shop) -> None:
    asked = wanted(source, sensitive=True, how={"keep": True})
    with pytest.raises(GreenroomError) as caught, acquire(asked, Silent()):
        pass
    assert caught.value.sentence == "staging is sensitive and has no masks, so no copy of it is kept."


def test_second_pull_starts_from_a_snapshot(source: Shop) -> None:
    asked = wanted(source)
    tables = {"databases": {"staging": asked.config.target("staging").model_dump(exclude_none=True)}}
    config = configuration.parse(tables, Path.cwd())
    methods = []
    for how in ({}, {}, {"refresh": True}):
        given = CopyRequest(config=config, project=config.project, target="staging", branch="fix_it", **how)
        with acquire(given, Silent()) as copy:
            is_whole(copy, source)
        methods.append(copy.method)
        assert copy.dropped
    assert methods == ["copy", "snapshot", "copy"]


def cached(source: Shop, *, keep: bool = False, **target: object) -> CopyRequest:
    """A request for `staging` that may leave a snapshot here."""
    staging = wanted(source, **target).config.target("staging").model_dump(exclude_none=True)
    config = configuration.parse({"databases": {"staging": staging}}, Path.cwd())
    return CopyRequest(config=config, project=config.project, target="staging", branch="fix_it", keep=keep)


def names_in(copy: Acquired) -> set[str]:
    with connect(copy.address) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM goods")}


def test_kept_pull_of_a_sensitive_target_needs_rules_though_a_snapshot_is_here(source: Shop) -> None:
    """A rehearsal may leave one that nobody may keep a copy of."""
    with acquire(cached(source, sensitive=True, cache=True), Silent()) as copy:
        assert copy.method == "copy"
    assert len(snapshots.listed()) == 1
    with (
        pytest.raises(GreenroomError) as caught,
        acquire(cached(source, keep=True, sensitive=True, cache=True), Silent()),
    ):
        pass
    assert caught.value.sentence == "staging is sensitive and has no masks, so no copy of it is kept."
    assert kept.standing() == []
    with acquire(cached(source, sensitive=True, cache=True), Silent()) as copy:
        assert copy.method == "snapshot", "a rehearsal may use it"


def test_snapshot_of_a_sensitive_target_with_all_rules_may_be_kept(source: Shop) -> None:
    rules = {"sensitive": True, "cache": True, "masks": {"goods.name": "text"}}
    with acquire(cached(source, **rules), Silent()) as copy:
        assert copy.method == "copy"
    with acquire(cached(source, keep=True, **rules), Silent()) as copy:
        assert copy.method == "snapshot"
    (stands,) = kept.standing()
    assert not any(name.startswith("thing ") for name in names_in(copy))
    stands.drop()


@pytest.mark.parametrize("rules", [{"sensitive": True, "cache": True}, {"sensitive": True}, {"cache": False}])
def test_snapshot_that_was_allowed_once_is_neither_used_nor_left(source: Shop, rules: dict[str, object]) -> None:
    with acquire(cached(source), Silent()):
        pass
    (first,) = snapshots.listed()
    with acquire(cached(source, **rules), Silent()) as copy:
        assert copy.method == "copy"
    assert first.name not in [found.name for found in snapshots.listed()]


def test_nothing_of_a_sensitive_target_stays_here(source: Shop, tmp_path: Path) -> None:
    with acquire(cached(source, sensitive=True), Silent()) as copy:
        assert "thing 1" in names_in(copy), "it has no masks"
    assert snapshots.listed() == []
    left = [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]
    assert [path for path in left if b"thing 1" in path.read_bytes()] == []
    with acquire(cached(source), Silent()):
        pass
    left = [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]
    assert [path for path in left if b"thing 1" in path.read_bytes()], "the same look finds them where one is kept"


def test_wrong_password_is_one_sentence(source: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "wr0ng")
    with pytest.raises(GreenroomError) as caught, acquire(wanted(source), Silent()):
        pass
    assert caught.value.sentence == f"{source.address.server} refuses {source.owner}: the password is wrong."


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"dump": Path("x")}, "--dump and --target are two sources; a rehearsal has one."),
        (
            {"via_file": True},
            "--via-file leaves the archive on the VPN host for a while, and staging has none (via = ...).",
        ),
        ({"template": True}, "--template is a way to copy on the source's own server."),
        (
            {"remote": True, "server": "postgresql://x@y/z"},
            "--server says where staging is restored, and with --remote it stays where it is.",
        ),
        ({"server": "mysql://me:pl@nted@h/x"}, "--server h/x is no server that a copy can be restored on."),
        ({"server": "docker:"}, "--server docker: is no server that a copy can be restored on."),
        ({"server": "dockre:postgres:17"}, "--server dockre:postgres:17 is no server that a copy can be restored on."),
    ],
)
def test_contradiction_is_refused_before_anything(source: Shop, how: dict[str, object], sentence: str) -> None:
    heard = Heard()
    with pytest.raises(GreenroomError) as caught, acquire(wanted(source, how=how), heard):
        pass
    assert caught.value.sentence == sentence and heard.steps == []


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        ("docker:postgres:18", "no Docker engine answers at tcp://127.0.0.1:1: does it run?"),
        ("postgresql://nobody@127.0.0.1:1/x", "no PostgreSQL server can be reached at 127.0.0.1:1 "),
    ],
)
def test_server_that_does_not_answer_is_told_before_the_source_is_read(
    source: Shop, monkeypatch: pytest.MonkeyPatch, server: str, sentence: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    heard = Heard()
    with pytest.raises(GreenroomError) as caught, acquire(wanted(source, how={"server": server}), heard):
        pass
    assert caught.value.sentence.startswith(sentence) and heard.steps == []


def test_inventory_is_empty_after_all(source: Shop) -> None:
    with acquire(wanted(source, how={"remote": True}), Silent()):
        standing = inventory.survey(inventory.Scope(url=source.url(source.admin))).standing
        assert [found.state for found in standing] == ["alive"]
    assert inventory.survey(inventory.Scope(url=source.url(source.admin))).standing == []


def test_standby_can_be_read_and_bears_no_copy() -> None:
    """It begins as a server of its own; nothing has to come to it."""
    with embedded(binaries=of_major(18), settings={"wal_level": "replica"}) as server, standby_shop(server) as source:
        with acquire(wanted(source), Silent()) as copy:
            is_whole(copy, source)
        for how in ({"remote": True}, {"server": source.url()}):
            with pytest.raises(GreenroomError) as caught, acquire(wanted(source, how=how), Silent()):
                pass
            assert caught.value.sentence == f"{source.address.server} is a standby: no copy can be made on it."


@contextmanager
def standby_shop(server: Server) -> Iterator[Shop]:
    with shop(server) as made:
        with server.stopped() as data:
            (data / "standby.signal").touch()
        yield made
        with server.stopped() as data:
            (data / "standby.signal").unlink()
