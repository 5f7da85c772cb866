"""In a network of its own, where only the VPN host reaches the database, and cables can be pulled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from greenroom.postgres.binaries import newest
from greenroom.postgres.server import connect
from greenroom.ssh.connection import connected
from greenroom.ssh.dialling import Unreachable
from greenroom.ssh.tunnel import tunnel
from tests.integration.bastion import Bastion, bastion, needed
from tests.integration.network import BASTION, Network, database, network


@pytest.fixture(scope="module")
def lab() -> Iterator[Network]:
    needed(namespaces=True)
    with network() as made:
        yield made


@pytest.fixture
def vpn(lab: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    with bastion(tmp_path, network=lab) as made:
        monkeypatch.setenv("HOME", str(made.home))
        with lab.inside():
            yield made


@pytest.mark.full
def test_only_the_host_reaches_the_database(vpn: Bastion, lab: Network, tmp_path: Path) -> None:
    with database(lab, newest(), tmp_path / "db") as address:
        with lab.inside(BASTION), connect(address) as connection:
            connection.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(address.conninfo, connect_timeout=1)
        vpn.client(newest())
        secrets = {"PGPASSWORD": address.password} if address.password else {}
        with connected(vpn.via) as host:
            dumped = host.run(["pg_dump", "-h", address.host, "-U", "postgres", "-t", "t", "postgres"], secrets=secrets)
        assert dumped.stdout.count("\n") > 1000
        with (
            tunnel(vpn.via, address.host, address.port) as port,
            connect(replace(address, host="127.0.0.1", port=port)) as connection,
        ):
            assert connection.execute("SELECT sum(n) FROM t").fetchone() == (500500,)


def test_host_that_gives_no_answer_is_named(vpn: Bastion, lab: Network) -> None:
    vpn.configure("ConnectTimeout 1")
    lab.unplug()
    try:
        with pytest.raises(Unreachable) as caught, connected(vpn.via):
            pass
    finally:
        lab.plug()
    assert str(caught.value).startswith(f"cannot reach {lab.bastion_address}:22 within 1 s: is the VPN on? (no ")


@pytest.mark.full
def test_pulled_cable_is_noticed_within_half_a_minute(vpn: Bastion, lab: Network) -> None:
    with connected(vpn.via) as host, host.running(["sleep", "100"]) as remote:
        lab.unplug()
        began = time.monotonic()
        try:
            with pytest.raises(Unreachable, match=r"^the connection to .* was lost"):
                remote.read(1)
        finally:
            lab.plug()
        assert 10 < time.monotonic() - began < 40


@pytest.mark.full
def test_narrow_line_is_kept_full_and_alive(vpn: Bastion, lab: Network) -> None:
    lab.limit("40mbit")
    try:
        with connected(vpn.via) as host, host.running(["head", "-c", "20000000", "/dev/zero"]) as remote:
            began = time.monotonic()
            assert sum(len(piece) for piece in iter(lambda: remote.read(1 << 18), b"")) == 20_000_000
            assert 3.5 < time.monotonic() - began < 8
    finally:
        lab.limit(None)
