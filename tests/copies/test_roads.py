"""What comes from a VPN host is called by its database: nobody knows the file in which it lies here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from greenroom.console import Silent
from greenroom.copies import far
from greenroom.copies.far import FarDump
from greenroom.copies.origin import Origin
from greenroom.copies.roads import There
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.restoring import Target
from greenroom.ssh.host import Host


def test_archive_that_is_cut_off_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = Address("db.internal", 5432, "shop", "reader")
    origin = cast(Origin, SimpleNamespace(real=address))
    host = cast(Host, SimpleNamespace(label="vpn.example.com"))
    there = There(FarDump(host, "pg_dump", 18), tmp_path, via_file=False)
    monkeypatch.setattr(far, "stream", lambda *words: (tmp_path / "dump").write_bytes(b"PGDMP\x01\x10\x00\x04"))
    with pytest.raises(GreenroomError, match=r"^the archive of shop is truncated or damaged"):
        there.fill(origin, Target(address, True, "embedded", 180000), None, Silent())
    assert not (tmp_path / "dump").exists()
