"""Whichever way a copy takes, from the target's table to the database that is migrated, it is what pg_restore makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom import config as configuration
from greenroom.console import Silent
from greenroom.copies import far
from greenroom.copies.acquiring import CopyRequest, acquire
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from tests.integration.bastion import Bastion
from tests.integration.everything import compared, database, dump_and_restore, everything

pytestmark = pytest.mark.full

# how it is asked for, whether the VPN host has pg_dump (None: there is no VPN host), and by which method it must come
WAYS: dict[str, tuple[dict[str, object], bool | None, str]] = {
    "here, by a dump that is streamed": ({}, True, "restore"),
    "here, by a file": ({"via_file": True}, True, "restore"),
    "here, through a tunnel": ({}, False, "copy"),
    "here, directly": ({}, None, "copy"),
    "on its server, by the VPN host": ({"remote": True}, True, "pipe"),
    "on its server, through a tunnel": ({"remote": True}, False, "copy"),
}


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journal and scratch of the test's own."""
    scratch = tmp_path / "scratch"
    scratch.mkdir(mode=0o711)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(scratch))
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o711)


@pytest.fixture
def source(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    """A database with everything; its superuser's password stands in a variable."""
    with everything(server) as address:
        assert address.password
        monkeypatch.setenv("BOSS", address.password.reveal())
        yield address


def wanted(source: Address, how: dict[str, object], **more: object) -> CopyRequest:
    """As pyproject.toml would have it."""
    table = {"host": source.host, "port": source.port, "name": source.database, "user": source.user}
    tables = {
        "databases": {"staging": {**table, "password_variable": "BOSS", **more}},
        "snapshots": {"limit_gb": 0},
    }
    config = configuration.parse(tables, Path.cwd())
    request = CopyRequest(config, config.project, target="staging", branch="fix_it")
    return replace(request, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", WAYS)
def test_copy_is_what_dump_and_restore_make(
    way: str, server: Server, source: Address, vpn: Bastion, monkeypatch: pytest.MonkeyPatch
) -> None:
    how, client, method = WAYS[way]
    vpn.client(server.binaries if client else None)
    if client is False:
        monkeypatch.setattr(far, "_LOOK", "true")  # this machine plays the host, and may have Debian's
    via = {} if client is None else {"via": vpn.via}
    if method == "pipe":  # of a source with a user mapping it cannot be
        with connect(source) as connection:
            connection.execute("DROP USER MAPPING IF EXISTS FOR every_owner SERVER far")
    with database(server, "by_hand") as reference:
        dump_and_restore(source, reference, server.binaries)
        expected, before = compared(reference, server.binaries), compared(source, server.binaries)
        with acquire(wanted(source, how, **via), Silent()) as copy:
            assert (copy.method, copy.facts.version_num) == (method, server.version_num)
            found = compared(copy.admin, server.binaries)
    for part, told in expected.items():
        assert found[part] == told, part
    assert found["rows"] == before["rows"]
    assert compared(source, server.binaries) == before and copy.dropped
