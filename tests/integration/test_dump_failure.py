"""A real pg_dump that cannot: its words are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.postgres import dump_failure, dumping
from greenroom.postgres.address import Address
from greenroom.postgres.binaries import client_for
from greenroom.postgres.embedded import Server
from greenroom.postgres.postmaster import free_port
from greenroom.postgres.server import connect
from greenroom.secret import Secret
from tests.integration.certified import certified
from tests.integration.shop import Shop, shop


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


def test_table_that_stays_locked_is_not_waited_for_without_end(
    source: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump_failure, "LOCK_WAIT_SECONDS", 1)
    with connect(source.admin) as altering:
        altering.execute("BEGIN; LOCK TABLE goods IN ACCESS EXCLUSIVE MODE")
        told = refused(source.address, tmp_path)
    assert told == (
        f"a table of {source.address.database} on {source.address.server} stayed locked for 1 s: an ALTER TABLE, "
        "VACUUM FULL or the like runs there, or waits itself."
    )
