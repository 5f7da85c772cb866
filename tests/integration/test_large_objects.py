"""Large objects, which no mask changes: no copy of a sensitive source is kept with them, and they can be left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from greenroom.console import Silent
from greenroom.copies import preview, pulls
from greenroom.copies.acquiring import acquire
from greenroom.errors import GreenroomError
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from tests.integration.bastion import Bastion
from tests.integration.shop import ROWS, Shop, shop
from tests.integration.staging import places, wanted

__all__ = ["places"]

MASKS = {"goods.name": "text"}
SENSITIVE = {"sensitive": True, "masks": MASKS}
OUT = {"exclude_data": ["large objects"]}


@pytest.fixture
def source(server18: Server) -> Iterator[Shop]:
    """With a large object of its owner's, and one that nobody else may read."""
    with shop(server18) as made:
        for who in (made.address, made.admin):
            with connect(who) as connection:
                connection.execute("SELECT lo_from_bytea(0, 'x')")
        yield made


@pytest.fixture
def readable(source: Shop) -> Shop:
    with connect(source.admin) as admin:
        admin.execute(f"ALTER ROLE {source.owner} SUPERUSER".encode())
    return source


@pytest.mark.parametrize("remote", [False, True])
def test_no_copy_of_a_sensitive_source_is_kept_with_them(source: Shop, remote: bool) -> None:
    kept = {"remote": remote, "keep": True}
    with pytest.raises(GreenroomError) as caught, acquire(wanted(source, **SENSITIVE, how=kept), Silent()):
        pass
    assert str(caught.value) == (
        "staging is sensitive and has large objects, which no mask changes, so no copy of it is kept.\n"
        '  Leave them there: "large objects" in exclude_data of [tool.greenroom.databases.staging].'
    )
    preview.check(wanted(source, **SENSITIVE, **OUT, how=kept), Silent())


@pytest.mark.parametrize("masks", [{}, MASKS])
@pytest.mark.parametrize("via", [False, True])
@pytest.mark.parametrize("remote", [False, True])
def test_they_are_left_out_on_every_way(
    source: Shop, vpn: Bastion, remote: bool, via: bool, masks: dict[str, str]
) -> None:
    """The role need not be able to read them."""
    vpn.client(source.server.binaries)
    asked = wanted(source, masks=masks, **OUT, **({"via": vpn.via} if via else {}), how={"remote": remote})
    with acquire(asked, Silent()) as copy, connect(copy.admin) as connection:
        assert connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM goods").fetchone() == (ROWS,)
    assert "not copied: the large objects" in copy.notes


def test_without_that_they_are_copied(readable: Shop) -> None:
    with acquire(wanted(readable, masks=MASKS), Silent()) as copy, connect(copy.admin) as connection:
        assert connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (2,)
    assert "not copied: the large objects" not in copy.notes


@pytest.mark.parametrize(("out", "covered"), [({}, False), (OUT, True)])
def test_snapshot_with_them_is_not_one_to_keep(
    readable: Shop, tmp_path: Path, out: dict[str, object], covered: bool
) -> None:
    """`covered` is what a snapshot of a sensitive target must be, for a copy that stays."""
    with ExitStack() as connections:
        asked = wanted(readable, masks=MASKS, **out)
        assert pulls.look(asked, tmp_path, connections, Silent()).covered is covered


def test_template_leaves_nothing_out(source: Shop) -> None:
    asked = wanted(source, **OUT, how={"remote": True, "template": True})
    with pytest.raises(GreenroomError, match="has masks or exclude_data"), acquire(asked, Silent()):
        pass


@pytest.mark.parametrize(
    ("out", "told"), [({}, "no copy of it can be kept: large objects"), (OUT, "the large objects")]
)
def test_check_tells_of_them(readable: Shop, out: dict[str, object], told: str) -> None:
    lines = preview.check(wanted(readable, **SENSITIVE, **out, how={"remote": True}), Silent())
    assert told in [text for _name, text in lines]


def test_table_of_that_name_is_one(readable: Shop) -> None:
    with connect(readable.admin) as admin:
        admin.execute('CREATE TABLE "large objects" AS SELECT 1 AS n')
    asked = wanted(readable, exclude_data=["public.large objects"], how={"remote": True})
    with acquire(asked, Silent()) as copy, connect(copy.admin) as connection:
        assert connection.execute('SELECT count(*) FROM "large objects"').fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (2,)
