"""Targets behind a VPN host: by its programs, by a file on it, through a tunnel; and whose certificate is verified."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.errors import GreenroomError
from greenroom.postgres.server import connect
from tests.integration.bastion import Bastion
from tests.integration.certified import certified
from tests.integration.shop import Shop, shop
from tests.integration.sources import source
from tests.integration.staging import Heard, is_whole, places, wanted

pytestmark = pytest.mark.full

__all__ = ["places", "source"]


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
