"""Bad input to migrate-rehearse, as a person sees it: one sentence, the next step, exit code 2, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.postgres.embedded import Server
from tests.integration.shop import PLANTED, Shop, shop

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made


def rehearse(home: Path, *words: str, **environment: str) -> str:
    """What it says on standard error; it must say nothing else, and end with 2."""
    done = subprocess.run(
        [sys.executable, "-m", "greenroom", "migrate-rehearse", "--report-dir", str(home / "reports"), *words],
        cwd=ROOT,
        env={**os.environ, "XDG_STATE_HOME": str(home), "TMPDIR": str(home), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr and PLANTED not in done.stderr
    assert list(home.glob("greenroom-*/*")) == []
    assert list(home.glob("greenroom/journal/*")) == []
    return "\n".join(line for line in done.stderr.splitlines() if " s  " not in line)  # without the phases


def test_wrong_password(source: Shop, tmp_path: Path) -> None:
    url = source.url().replace(PLANTED, "wr0ng")
    assert rehearse(tmp_path, "--url", url) == (
        f"{source.address.server} refuses {source.owner}: the password is wrong.\n"
        "  Set PGPASSWORD, or write the password to ~/.pgpass, then run again."
    )


def test_unreachable_server(tmp_path: Path) -> None:
    assert rehearse(tmp_path, "--url", f"postgresql://me:{PLANTED}@127.0.0.1:1/shop") == (
        "no PostgreSQL server can be reached at 127.0.0.1:1 (5 s): Connection refused.\n"
        "  Check host and port, and that the server runs and listens there; is a VPN or an SSH tunnel missing?"
    )


def test_truncated_dump(source: Shop, tmp_path: Path) -> None:
    whole = source.dump(tmp_path / "whole.dump").read_bytes()
    (cut := tmp_path / "shop.dump").write_bytes(whole[:-500])
    assert rehearse(tmp_path, "--dump", str(cut)) == (
        "shop.dump is truncated or damaged: it ends too early.\n"
        "  Copy it again. Dump it again: pg_dump -Fc -f FILE DATABASE"
    )


def test_plain_sql_dump(source: Shop, tmp_path: Path) -> None:
    assert rehearse(tmp_path, "--dump", str(source.dump(tmp_path / "shop.sql", "-Fp"))) == (
        "shop.sql is a plain SQL script: pg_restore cannot read it, and psql would also run commands of its own that a "
        "script can carry (CVE-2025-8714).\n  Make an archive instead: pg_dump -Fc -f FILE DATABASE"
    )


def test_dump_of_a_newer_major_version(source: Shop, server15: Server, tmp_path: Path) -> None:
    dump, where = source.dump(tmp_path / "shop.dump"), server15.address
    assert where.password
    url = f"postgresql://{where.user}@{where.server}/postgres"
    said = rehearse(tmp_path, "--dump", str(dump), "--server", url, PGPASSWORD=where.password.reveal())
    assert said == (
        f"shop.dump is a dump of PostgreSQL 18, and {where.server} is PostgreSQL 15: an older server cannot take it.\n"
        "  Give a server of PostgreSQL 18 or newer with --server."
    )


def test_missing_extension(source: Shop, tmp_path: Path) -> None:
    dump = source.dump(tmp_path / "shop.dump")
    dump.write_bytes(dump.read_bytes().replace(b"pg_trgm", b"pg_trgX"))
    assert rehearse(tmp_path, "--dump", str(dump)) == (
        "shop.dump needs the extension pg_trgX, which embedded does not have.\n"
        "  Restore on a server that has them: --server postgresql://USER@HOST/postgres"
    )


def test_keep_on_the_embedded_server(source: Shop, tmp_path: Path) -> None:
    dump = source.dump(tmp_path / "shop.dump")
    assert rehearse(tmp_path, "--dump", str(dump), "--keep") == (
        "--keep needs a server that outlives the task, and the embedded one ends with it.\n"
        "  Restore with --server postgresql://USER@HOST/postgres, or use --url."
    )
