"""What is no dump that can be restored, refused by a look at the file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from greenroom.errors import COULD_NOT_RUN, GreenroomError
from greenroom.postgres import archive as archives
from greenroom.postgres.archive import Archive, inspect, refuse_missing, refuse_older_server
from greenroom.postgres.toc import Contents, Entry

AGAIN = "Dump it again: pg_dump -Fc -f FILE DATABASE"


def refused(path: Path) -> str:
    with pytest.raises(GreenroomError) as caught:
        inspect(path)
    assert caught.value.code == COULD_NOT_RUN
    return str(caught.value)


def archive(*entries: Entry, server: str = "18.6", dump: str = "18.6", compression: str = "gzip") -> Archive:
    return Archive(Path("shop.dump"), Contents("shop", server, dump, compression, entries))


@pytest.mark.parametrize(
    "text",
    [
        "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n",
        "SET statement_timeout = 0;\n",
        "\n\nCREATE TABLE t (id int);\n",
    ],
)
def test_plain_sql_is_refused_with_the_reason(tmp_path: Path, text: str) -> None:
    (path := tmp_path / "shop.sql").write_text(text)
    assert refused(path) == (
        "shop.sql is a plain SQL script: pg_restore cannot read it, and psql would also run commands of its own that a "
        "script can carry (CVE-2025-8714).\n  Make an archive instead: pg_dump -Fc -f FILE DATABASE"
    )


def test_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.dump"
    assert refused(path) == f"there is no dump {path}.\n  Check the path given to --dump."


def test_directory_without_contents_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == (
        f"{tmp_path} is a directory without toc.dat, so it is no directory-format dump.\n  {AGAIN}"
    )


@pytest.mark.parametrize("content", [b"", b"\0\1\2", b"hello", b"%PDF-1.7"])
def test_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (path := tmp_path / "x").write_bytes(content)
    assert refused(path) == "x is no dump of PostgreSQL.\n  Make one: pg_dump -Fc -f FILE DATABASE"


def test_compressed_as_a_whole_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "shop.dump.gz").write_bytes(gzip.compress(b"PGDMP"))
    assert refused(path) == "shop.dump.gz is compressed as a whole.\n  Decompress it first (gunzip, zstd -d)."


def test_tar_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "shop.tar").write_bytes(b"toc.dat".ljust(257, b"\0") + b"ustar\x0000" + b"\0" * 300)
    assert refused(path) == f"shop.tar is in tar format, which cannot be restored in parallel.\n  {AGAIN}"


def test_newer_archive_version_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "shop.dump").write_bytes(b"PGDMP\x01\x63\x00\x04\x08\x01" + b"\0" * 100)
    newest = max(found.major for found in archives.programs.found())
    assert refused(path) == (
        f"shop.dump was made by archive version 1.99, which is newer than the newest pg_restore here ({newest}).\n"
        "  Install the PostgreSQL programs of that major version, or dump with an older pg_dump."
    )


def test_damaged_head_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "shop.dump").write_bytes(b"PGDMP\x01\x10\x00\x04")
    assert refused(path) == f"shop.dump is truncated or damaged: it ends too early.\n  Copy it again. {AGAIN}"


def test_archive_of_ours_is_called_by_its_database(tmp_path: Path) -> None:
    (path := tmp_path / "schema").write_bytes(b"PGDMP\x01\x10\x00\x04")
    with pytest.raises(GreenroomError) as caught:
        inspect(path, archives.of_database("shop"))
    assert str(caught.value) == "the archive of shop is truncated or damaged: it ends too early.\n  Run it again."


def test_dump_of_a_newer_pg_dump_is_refused() -> None:
    with pytest.raises(GreenroomError) as caught:
        archives.restorer_for(archive(dump="99.1"))
    assert str(caught.value).startswith(
        "shop.dump was made by pg_dump 99, which is newer than the newest pg_restore here"
    )


def test_unknown_compression_is_refused() -> None:
    with pytest.raises(GreenroomError) as caught:
        archives.restorer_for(archive(compression="method 9"))
    assert str(caught.value) == (
        "shop.dump is compressed with method 9, which no pg_restore here can read.\n"
        "  Dump it again with gzip: pg_dump -Fc -Z gzip -f FILE DATABASE"
    )


def test_older_server_is_refused() -> None:
    with pytest.raises(GreenroomError) as caught:
        refuse_older_server(archive(), 15, "db:5432")
    assert str(caught.value) == (
        "shop.dump is a dump of PostgreSQL 18, and db:5432 is PostgreSQL 15: an older server cannot take it.\n"
        "  Give a server of PostgreSQL 18 or newer with --server."
    )
    refuse_older_server(archive(), 18, "db:5432")


def test_missing_extensions_are_refused_by_name() -> None:
    needs = archive(*(Entry("EXTENSION", None, name, None, "", False, None) for name in ("postgis", "h3", "pg_trgm")))
    with pytest.raises(GreenroomError) as caught:
        refuse_missing(needs, {"pg_trgm", "plpgsql"}, set(), "embedded")
    assert str(caught.value) == (
        "shop.dump needs the extensions h3, postgis, which embedded does not have.\n"
        "  Restore on a server that has them: --server postgresql://USER@HOST/postgres"
    )


@pytest.mark.parametrize(
    ("names", "image"),
    [
        (["pgcrypto", "uuid-ossp"], "--server docker:postgres:18 or "),
        (["postgis", "postgis_topology", "pgcrypto"], "--server docker:postgis/postgis:18-3.5 or "),
        (["postgis", "vector"], ""),
        (["h3"], ""),
    ],
)
def test_missing_extensions_name_the_image_that_has_them(names: list[str], image: str) -> None:
    needs = archive(*(Entry("EXTENSION", None, name, None, "", False, None) for name in names))
    with pytest.raises(GreenroomError) as caught:
        refuse_missing(needs, {"plpgsql"}, set(), "embedded")
    wanted = f"Restore on a server that has them: {image}--server postgresql://USER@HOST/postgres"
    assert caught.value.hint == wanted


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (("COLLATION", "de", "CREATE COLLATION public.de (provider = icu, locale = 'de');\n"), "ICU (de)"),
        (
            ("TABLE", "notes", "CREATE TABLE public.notes (\n    t text\n);\n...ALTER COLUMN t SET COMPRESSION lz4;\n"),
            "lz4 (public.notes)",
        ),
        (
            ("TABLE", "orders", 'CREATE TABLE public.orders (\n    id int,\n    "as ""it"" came" xml\n);'),
            "XML (public.orders)",
        ),
    ],
)
def test_what_not_every_build_has_is_refused_where_it_is_not(entry: tuple[str, str, str], what: str) -> None:
    kind, name, words = entry
    needs = archive(Entry(kind, "public", name, "app", words, False, None))
    refuse_missing(needs, set(), {"ICU", "lz4", "XML"}, "embedded")
    with pytest.raises(GreenroomError) as caught:
        refuse_missing(needs, set(), set(), "embedded")
    assert str(caught.value) == (
        f"shop.dump needs {what}, which embedded does not have.\n"
        "  Restore on a server built with it: --server docker:postgres:18 or --server postgresql://USER@HOST/postgres"
    )


def test_word_that_is_like_a_type_is_none() -> None:
    words = "CREATE TABLE public.a (\n    xml text,\n    b xml_kind,\n    c text DEFAULT 'as xml'\n);\n"
    refuse_missing(archive(Entry("TABLE", "public", "a", "app", words, False, None)), set(), set(), "embedded")
