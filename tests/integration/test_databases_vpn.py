"""Copies behind a VPN host: found again, with the password of their target, and reaped."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres import journal, kept
from greenroom.postgres.embedded import embedded
from greenroom.postgres.server import CannotConnect, connect
from greenroom.ssh import traces
from tests.integration.bastion import Bastion, bastion
from tests.integration.shop import PLANTED, Shop
from tests.integration.sources import source, state
from tests.integration.standing_copies import configured, inv, made, stands, states, terms

pytestmark = pytest.mark.full

__all__ = ["source", "state"]
HOLDING = """
import sys
from psycopg import sql
from greenroom.postgres.address import Address
from greenroom.postgres.holding import held
from greenroom.postgres.holding import held
from greenroom.postgres.lease import Lease
from greenroom.postgres.way import Way
real, via = Address.parse(sys.argv[1]), sys.argv[2]
name = f"{real.database}__far"
with Way(real, via).opened() as address:
    assert (address.port, address.options["hostaddr"]) != (real.port, "127.0.0.1")
    terms = Lease.new(branch="fix", source="x", hours=1)
    with held(address.at("postgres"), name, terms, keep=False, real=real, via=via) as copy:
        copy.connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if sys.argv[3] == "granted":
            copy.grant()
        print(name, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def vpn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    with bastion(tmp_path) as host:
        monkeypatch.setenv("HOME", str(host.home))
        yield host


@pytest.mark.parametrize("granted", ["granted", pytest.param("", marks=pytest.mark.full)])
def test_branch_behind_a_vpn_host_is_found_again_after_a_kill(source: Shop, vpn: Bastion, granted: str) -> None:
    words = [sys.executable, "-c", HOLDING, source.url(), vpn.via, granted]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        name = child.stdout.readline().strip()
        child.kill()
    vpn.settle()
    assert stands(source, name)
    state = "creator died" if granted else "no lease, creator died"

    vpn.servers[0].stop()
    unreachable = inv("db-list")
    assert unreachable.returncode == 2
    assert unreachable.stdout.splitlines()[-1].startswith("  Is it gone for good? Then forget it: rm ")

    vpn.servers[0].start()
    listed = inv("db-list")
    assert (listed.returncode, states(listed.stdout)) == (0, {name: state}), listed.stdout
    assert source.address.server in listed.stdout
    assert inv("db-reap", "--yes").returncode == 0
    assert not stands(source, name) and journal.intents() == []
    vpn.settle()


def test_branch_behind_a_vpn_host_has_the_password_of_its_target(
    source: Shop, vpn: Bastion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = configured(source, tmp_path, f'via = "{vpn.via}"')
    monkeypatch.setenv("STAGING_PASSWORD", PLANTED)
    name = made(source, f"{source.address.database}__far", terms())
    journal.write(source.address.at("postgres"), name, "abc", via=vpn.via)
    for words in ([], ["--target", "staging"]):
        listed = inv("db-list", *words, password="wr0ng", cwd=project)
        assert (listed.returncode, states(listed.stdout)) == (0, {name: "alive"}), listed.stdout
    assert inv("db-drop", name, "--yes", password="wr0ng", cwd=project).returncode == 0
    assert not stands(source, name) and journal.intents() == []


def test_kept_server_and_directory_on_a_vpn_host_are_listed_and_reaped(
    source: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with embedded() as server:
        kept.keep(server, "shop__kept", terms(kept=True), {})
    address = server.address
    made(source, name := f"{source.address.database}__ours", terms())
    journal.write(source.address.at("postgres"), name, "abc")
    with traces.noted("me@nowhere.invalid", None) as trace:
        pass

    listed = inv("db-list")
    assert listed.returncode == 0
    assert states(listed.stdout) == {"shop__kept": "kept", trace.directory: "creator died", name: "alive"}
    kinds = {line.split()[0]: line.split()[1] for line in listed.stdout.splitlines()}
    assert kinds == {"name": "kind", "shop__kept": "server", trace.directory: "directory", name: "database"}
    assert re.search(rf"^shop__kept +server +{re.escape(address.server)} +fix .* MB +kept$", listed.stdout, re.M)

    reaped = inv("db-reap", "--yes")  # the host is not there: the rest goes all the same
    assert reaped.returncode == 2 and set(states(reaped.stdout)) >= {trace.directory}
    assert inv("db-drop", "shop__kept", "--yes").stdout.splitlines()[-1] == "dropped shop__kept"
    with pytest.raises(CannotConnect):
        connect(address)
    trace.forget()
    assert inv("db-drop", name, "--yes").returncode == 0
    assert inv("db-list").stdout == "No copies stand.\n"
