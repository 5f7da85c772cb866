"""How far one table is while it is copied: the server that runs its COPY tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom import config as configuration
from greenroom.console import Display
from greenroom.copies.acquiring import CopyRequest, acquire
from greenroom.postgres import archive as archives
from greenroom.postgres import arriving as module
from greenroom.postgres.address import Address
from greenroom.postgres.arriving import arriving
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from tests.integration.bastion import Bastion
from tests.integration.shop import PLANTED, Shop, shop

WIDE = 200_000


@pytest.fixture
def source(server: Server) -> Iterator[Shop]:
    """With one table that is nearly all of it."""
    with shop(server) as made:
        with connect(made.address) as connection:
            connection.execute(
                "CREATE TABLE wide AS SELECT n AS id, repeat(md5(n::text), 4) AS note FROM generate_series(1, %s) n",
                [WIDE],
            )
            connection.execute("ANALYZE wide")
        yield made


def sizes_of(address: Address) -> dict[str, int]:
    with connect(address) as connection:
        row = connection.execute("SELECT pg_table_size('wide')").fetchone()
    assert row
    return {"public.wide": int(row[0]), "public.other": int(row[0])}


def test_table_that_is_read_tells_how_far_it_is(source: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.0)
    sizes = sizes_of(source.address)
    with (
        arriving(sizes, source.address, read_only=True) as rows,
        connect(source.address) as reading,
        reading.cursor().copy("COPY wide TO STDOUT") as copied,
    ):
        rows.begins("public.wide")
        shares = []
        for count, _ in enumerate(copied):
            if count % (WIDE // 10) == 0:
                shares.append(rows.share)
        assert shares == sorted(shares) and len(set(shares)) > 4
        assert 0 < shares[5] < 0.5
        rows.begins("public.other")
        assert rows.share == 0.5


def test_table_that_is_written_tells_how_far_it_is(source: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.0)
    sizes = sizes_of(source.address)
    with arriving(sizes, source.address) as rows, connect(source.address) as writing:
        rows.begins("public.wide", alone=False)
        with writing.cursor().copy("COPY wide FROM STDIN") as copied:
            for number in range(WIDE // 4):
                copied.write_row((number, "x" * 128))
            some = rows.bytes
        assert 0 < some < sizes["public.wide"]
        rows.ends("wide")
        assert rows.bytes == sizes["public.wide"]


@pytest.mark.parametrize("options", [[], ["-Z0"]], ids=["compressed", "not compressed"])
def test_archive_tells_the_size_of_its_tables(source: Shop, tmp_path: Path, options: list[str]) -> None:
    made = source.dump(tmp_path / "shop.dump", *options)
    found = archives.inspect(made)
    assert set(found.sizes) == {"public.wide", "public.goods", "public.django_migrations"}
    assert made.stat().st_size * 0.8 < found.sizes["public.wide"] < made.stat().st_size
    assert 0 < sum(found.sizes.values()) < made.stat().st_size
    assert found.packed == (1.0 if options else 3.0)


class Heard(Display):
    """What was told, by phase."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, list[str]]] = []

    def step(self, text: str) -> None:
        self.phases.append((text, []))

    def detail(self, text: str) -> None:
        self.phases[-1][1].append(text)

    def of(self, phase: str) -> list[str]:
        return [detail for step, details in self.phases if step.startswith(phase) for detail in details]


@pytest.mark.parametrize("via_file", [False, True], ids=["stream", "file"])
def test_pull_through_a_vpn_host_tells_rate_and_share(
    source: Shop, vpn: Bastion, monkeypatch: pytest.MonkeyPatch, *, via_file: bool
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", PLANTED)
    vpn.client(source.server.binaries)
    address = source.address
    table = {"host": address.host, "port": address.port, "name": address.database, "user": address.user}
    table |= {"password_variable": "SHOP_PASSWORD", "via": vpn.via}
    config = configuration.parse({"databases": {"staging": table}, "snapshots": {"limit_gb": 0}}, Path.cwd())
    asked = CopyRequest(config=config, project=config.project, target="staging", via_file=via_file)
    heard = Heard()
    with acquire(asked, heard):
        pass
    whole = r"\d+ of \d+ MB · \d+ MB/s( · \d+ s left)?"
    dumped = heard.of("dumping ")
    pattern = whole if via_file else r"[\d.]+ [kM]?B · [\d.]+ [kM]?B/s( · \d+ s left)?"
    assert dumped and all(re.fullmatch(pattern, detail) for detail in dumped), dumped
    restored = [detail for detail in heard.of("restoring ") if "table" in detail]
    assert any(re.fullmatch(whole + r' · table "public\.\w+"', detail) for detail in restored), restored
