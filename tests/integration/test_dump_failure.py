"""A real pg_dump that cannot: its words are told apart."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom.console import Display, Silent
from greenroom.copies.acquiring import acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import dumping, lock_wait
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import client_for
from greenroom.postgres.copying import copy_database
from greenroom.postgres.embedded import Server
from greenroom.postgres.postmaster import free_port
from greenroom.postgres.restoring import Target
from greenroom.postgres.server import connect
from greenroom.secret import Secret
from tests.integration.certified import certified
from tests.integration.shop import ROWS, Shop, request, shop


@pytest.fixture
def source(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made


@pytest.fixture(scope="module")
def with_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server whose certificate is made out to `db.example`, and that certificate."""
    with certified(tmp_path_factory.mktemp("tls"), "db.example") as made:
        yield made


def refused(address: Address, tmp_path: Path, *, tls: bool = False) -> str:
    client = client_for(15, tls=True) if tls else client_for(18)
    with pytest.raises(GreenroomError) as caught:
        dumping.dump_file(address, tmp_path / "dump", client, Silent())
    return caught.value.sentence


def test_name_that_nobody_knows(source: Shop, tmp_path: Path) -> None:
    assert refused(replace(source.address, host="nowhere.invalid"), tmp_path) == (
        "this machine does not know the name nowhere.invalid."
    )


def test_port_where_nobody_listens(source: Shop, tmp_path: Path) -> None:
    nobody = replace(source.address, port=free_port())
    assert refused(nobody, tmp_path) == (f"no PostgreSQL server listens at {nobody.server}, as this machine sees it.")


def test_wrong_password(source: Shop, tmp_path: Path) -> None:
    wrong = replace(source.address, password=Secret("wr0ng"))
    assert refused(wrong, tmp_path) == f"{wrong.server} refuses {source.owner}: the password is wrong."


def test_no_row_in_pg_hba(server18: Server, source: Shop, tmp_path: Path) -> None:
    rules = server18.data / "pg_hba.conf"
    before = rules.read_text()
    with connect(server18.address) as admin:
        rules.write_text(f"host {source.address.database} {source.owner} 127.0.0.1/32 reject\n{before}")
        admin.execute("SELECT pg_reload_conf()")
        try:
            told = refused(source.address, tmp_path)
        finally:
            rules.write_text(before)
            admin.execute("SELECT pg_reload_conf()")
    assert told == f"{source.address.server} does not let {source.owner} in from this machine."


def test_certificate_of_an_unknown_authority(with_tls: tuple[Server, Path], tmp_path: Path) -> None:
    server, certificate = with_tls
    options = {"sslmode": "verify-full", "hostaddr": "127.0.0.1"}
    named = replace(server.address, host="db.example", options=options)
    told = f"the certificate of {named.server} cannot be verified on this machine."
    nothing = {"sslrootcert": str(tmp_path / "missing")}
    assert refused(replace(named, options={**options, **nothing}), tmp_path, tls=True) == told
    known = {"sslrootcert": str(certificate)}
    assert refused(replace(named, host="other.example", options={**options, **known}), tmp_path, tls=True) == (
        told.replace("db.example", "other.example")
    )
    dumping.dump_file(
        replace(named, options={**options, **known}), tmp_path / "dump", client_for(15, tls=True), Silent()
    )


class Heard(Display):
    """Remembers where each phase was."""

    def __init__(self) -> None:
        self.details: list[str] = []

    def detail(self, text: str) -> None:
        self.details.append(text)


STAYED = (
    "a table of {} on {} stayed locked for 1 s: an ALTER TABLE, VACUUM FULL or the like runs there, or waits itself."
)


def test_table_that_stays_locked_is_not_waited_for_without_end(
    source: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_wait, "LOCK_WAIT_SECONDS", 1)
    monkeypatch.setattr(lock_wait, "TURN_SECONDS", 0.2)
    stayed = STAYED.format(source.address.database, source.address.server)
    heard = Heard()
    with connect(source.admin) as altering:
        altering.execute("BEGIN; LOCK TABLE goods IN ACCESS EXCLUSIVE MODE")
        assert refused(source.address, tmp_path) == stayed
        with pytest.raises(GreenroomError) as caught, acquire(request(url=source.url()), heard):
            pass
    assert caught.value.sentence == stayed
    assert f"waiting for a locked table of {source.address.database}, 0 of 1 s" in heard.details


@pytest.mark.parametrize("big_bytes", [0, 1 << 40], ids=["by COPY", "by pg_dump"])
def test_copier_waits_for_a_locked_table_and_tells_it(
    source: Shop, monkeypatch: pytest.MonkeyPatch, big_bytes: int
) -> None:
    monkeypatch.setattr(lock_wait, "TURN_SECONDS", 0.2)
    heard, server = Heard(), source.server
    copied = source.admin.at(f"{source.address.database}_copy")
    altering = connect(source.admin)
    altering.execute("BEGIN; LOCK TABLE goods IN ACCESS EXCLUSIVE MODE")
    later = threading.Timer(1.5, altering.close)
    later.start()
    with connect(server.address) as admin:
        admin.execute(f"CREATE DATABASE {copied.database}".encode())
        try:
            target = Target(copied, superuser=True, label="x", version_num=server.version_num)
            copy_database(source.admin, target, server.binaries, heard, big_bytes=big_bytes)
            with connect(copied) as connection:
                assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
        finally:
            later.join()
            admin.execute(f"DROP DATABASE {copied.database} WITH (FORCE)".encode())
    assert f"waiting for a locked table of {source.address.database}, 1 of 60 s" in heard.details


def test_copier_gives_a_locked_table_up(source: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_wait, "LOCK_WAIT_SECONDS", 1)
    monkeypatch.setattr(lock_wait, "TURN_SECONDS", 0.2)
    target = Target(source.admin, superuser=True, label="x", version_num=source.server.version_num)
    with connect(source.admin) as altering:
        altering.execute("BEGIN; LOCK TABLE goods IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(GreenroomError) as caught:
            copy_database(source.admin, target, source.server.binaries, Silent(), big_bytes=0)
    assert caught.value.sentence == STAYED.format(source.address.database, source.address.server)
