"""A request for a copy of the target `staging`, as pyproject.toml would have it, and whether the copy is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom import config as configuration
from greenroom.console import Display
from greenroom.copies.acquiring import Acquired, CopyRequest
from greenroom.postgres.server import connect
from tests.integration.shop import PLANTED, ROWS, Shop


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
