"""Snapshots of targets: used by the next pull, and never left where the target's rules do not let them."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom import config as configuration
from greenroom.console import Silent
from greenroom.copies.acquiring import Acquired, CopyRequest, acquire
from greenroom.errors import GreenroomError
from greenroom.postgres import kept, snapshots
from greenroom.postgres.server import connect
from tests.integration.shop import Shop
from tests.integration.sources import source
from tests.integration.staging import is_whole, places, wanted

pytestmark = pytest.mark.full

__all__ = ["places", "source"]


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


def test_pull_through_another_vpn_host_starts_from_no_snapshot(source: Shop) -> None:
    """The same host behind it is another database, even where nobody can reach it."""
    with acquire(cached(source), Silent()):
        assert len(snapshots.listed()) == 1
    with (
        pytest.raises(GreenroomError, match="other-vpn"),
        acquire(cached(source, via="me@other-vpn.invalid"), Silent()),
    ):
        pass


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
