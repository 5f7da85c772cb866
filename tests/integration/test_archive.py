"""Archives that cannot be restored: refused with a sentence, before or while restoring, and nothing stays."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.console import Silent
from greenroom.copies.acquiring import acquire
from greenroom.errors import COULD_NOT_RUN, GreenroomError
from greenroom.postgres import archive as archives
from greenroom.postgres import toc
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import connect
from tests.integration.copy_sources import source, source18
from tests.integration.shop import Shop, request, shop

__all__ = ["source", "source18"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal and a place for servers of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (place := tmp_path / "servers").mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    return place


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 160 MB: a server fits, the data does not."""
    (place := tmp_path / "small").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def refused(dump: Path, **how: object) -> str:
    with pytest.raises(GreenroomError) as caught, acquire(request(dump=dump, **how), Silent()):
        pass
    assert caught.value.code == COULD_NOT_RUN
    return str(caught.value)


def nothing_in(home: Path) -> bool:
    return [path for path in home.glob("greenroom-*/*") if not path.name.startswith(("programs", "snapshots"))] == []


@pytest.mark.parametrize("options", [[], ["-Fd"], ["-Z0"], ["-Fd", "-Z0"]])
def test_contents_are_those_that_pg_restore_lists(options: list[str], source: Shop, tmp_path: Path) -> None:
    dump = source.dump(tmp_path / "shop", *options)
    archive = archives.inspect(dump)
    program = source.server.binaries.program("pg_restore")
    listed = subprocess.run([program, "-l", dump], capture_output=True, text=True, check=True).stdout
    lines = [line for line in listed.splitlines() if line and not line.startswith(";")]
    outside = {"ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES"}
    entries = [
        entry
        for entry in archive.contents.entries
        if entry.kind not in outside and not (entry.schema is None and entry.name.startswith("DATABASE "))
    ]
    assert len(entries) == len(lines)
    assert all(
        any(f" {e.kind} " in line and line.endswith(f"{e.name} {e.owner or ''}") for line in lines) for e in entries
    )
    assert archive.contents.server_major == source.server.version_num // 10000
    assert archive.extensions == ["pg_trgm"]


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95, 0.999])
def test_truncated_anywhere_is_refused_before_a_server_starts(
    share: float, source18: Shop, tmp_path: Path, home: Path
) -> None:
    whole = source18.dump(tmp_path / "whole.dump").read_bytes()
    (cut := tmp_path / "shop.dump").write_bytes(whole[: int(len(whole) * share)])
    said = refused(cut)
    assert said == (
        "shop.dump is truncated or damaged: it ends too early.\n"
        "  Copy it again. Dump it again: pg_dump -Fc -f FILE DATABASE"
    )
    assert list(home.iterdir()) == []


def test_incomplete_directory_is_refused(source18: Shop, tmp_path: Path) -> None:
    dump = source18.dump(tmp_path / "shop", "-Fd")
    data = next(iter(sorted(dump.glob("*.dat.gz"))))
    data.unlink()
    assert refused(dump).startswith(f"shop is incomplete: {data.name.removesuffix('.gz')}, the data of ")


def test_damaged_data_is_found_while_restoring_and_nothing_stays(source18: Shop, tmp_path: Path, home: Path) -> None:
    dump = source18.dump(tmp_path / "shop.dump")
    content = bytearray(dump.read_bytes())
    goods = next(e for e in toc.read(dump).entries if e.kind == "TABLE DATA" and e.name == "goods")
    assert isinstance(goods.place, int)
    for place in range(goods.place + 600, goods.place + 700):
        content[place] ^= 0xFF
    dump.write_bytes(content)
    assert refused(dump).startswith(
        (
            "shop.dump is truncated or damaged: pg_restore cannot read on in it.",
            "the data cannot be restored on embedded",
        )
    )
    assert nothing_in(home)


def test_newer_major_onto_an_older_server_is_refused(source18: Shop, server15: Server, tmp_path: Path) -> None:
    dump = source18.dump(tmp_path / "shop.dump")
    where = server15.address
    assert where.password
    url = f"postgresql://{where.user}:{where.password.reveal()}@{where.server}/postgres"
    assert refused(dump, server=url) == (
        f"shop.dump is a dump of PostgreSQL 18, and {where.server} is PostgreSQL 15: an older server cannot take it.\n"
        "  Give a server of PostgreSQL 18 or newer with --server."
    )
    with connect(where) as admin:
        assert admin.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'shop%'").fetchone() == (0,)


def test_older_server_dumped_by_a_newer_pg_dump_is_restored_on_its_own_major(
    server15: Server, server18: Server, tmp_path: Path
) -> None:
    """pg_restore of 18 sets a parameter that 15 does not know: harmless, and passed over."""
    with shop(server15) as source:
        words = [server18.binaries.program("pg_dump"), "-Fc", "-f", tmp_path / "x.dump"]
        subprocess.run(
            [*words, f"--dbname={source.admin.conninfo}"],
            env={**os.environ, **source.admin.password_environment},
            check=True,
        )
        with acquire(request(dump=tmp_path / "x.dump"), Silent()) as copy:
            assert copy.facts.major == 15


def test_missing_extension_is_refused_by_name(source18: Shop, tmp_path: Path, home: Path) -> None:
    """The dump is made to need `pg_trgX`, a name of the same length that no server has."""
    dump = source18.dump(tmp_path / "shop.dump")
    dump.write_bytes(dump.read_bytes().replace(b"pg_trgm", b"pg_trgX"))
    assert refused(dump) == (
        "shop.dump needs the extension pg_trgX, which embedded does not have.\n"
        "  Restore on a server that has them: --server postgresql://USER@HOST/postgres"
    )
    assert nothing_in(home)


def test_plain_sql_dump_is_refused(source18: Shop, tmp_path: Path) -> None:
    assert refused(source18.dump(tmp_path / "shop.sql", "-Fp")).startswith("shop.sql is a plain SQL script: ")


def test_unreachable_server_is_refused(source18: Shop, tmp_path: Path) -> None:
    dump = source18.dump(tmp_path / "shop.dump")
    assert refused(dump, server="postgresql://me@127.0.0.1:1/postgres").startswith(
        "no PostgreSQL server can be reached at 127.0.0.1:1 (5 s): Connection refused."
    )


def test_disk_full_while_restoring_is_a_sentence_and_nothing_stays(
    source18: Shop, tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(source18.address) as connection:
        connection.execute(
            "CREATE TABLE big AS SELECT n, repeat('x', 2000) || n AS filler FROM generate_series(1, 90000) n"
        )
        connection.execute("ALTER TABLE big ALTER filler SET STORAGE EXTERNAL")
        connection.execute("UPDATE big SET filler = filler || 'y'")
    dump = source18.dump(tmp_path / "shop.dump")
    monkeypatch.setenv("TMPDIR", str(small_disk))
    assert refused(dump) == (
        "the disk of embedded is full: the copy of the data does not fit.\n"
        "  Free some space, or set TMPDIR to a directory with more room."
    )
    assert nothing_in(small_disk)
    assert shutil.disk_usage(small_disk).used < 1 << 20
