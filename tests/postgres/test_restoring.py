"""What an error of pg_restore becomes: a sentence that quotes no row."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.console import Silent
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.complaints import Complaint, passed_over
from greenroom.postgres.restoring import Target, _explained, cut_off_in, watch

HINT = "\n  pg_restore --exit-on-error of the same archive shows the server's own words, which can quote rows."

OF_ITS_OWN = (
    'could not open TOC file "/dev/fd/9": Too many open files',
    "could not create worker process: Resource temporarily unavailable",
    "this build does not support compression with LZ4",
)


def target(*, superuser: bool = True, log: Path | None = None) -> Target:
    return Target(Address("h", 1, "d", "u"), superuser, "embedded", 180000, log)


def said(complaint: Complaint, where: Target | None = None) -> str:
    found = _explained(complaint, where or target(), cut_off_in("shop.dump"))
    assert isinstance(found, GreenroomError)
    return str(found)


@pytest.mark.parametrize(
    ("entry", "words", "command"),
    [
        ("TABLE DATA public t app", 'COPY failed for table "t": ERROR:  invalid input syntax: "s3cret"', ""),
        ("INDEX public t_i app", 'could not execute query: ERROR:  invalid input: "s3cret"', "CREATE INDEX t_i ..."),
        ("CONSTRAINT public t t_pk app", 'could not execute query: ERROR:  "s3cret"', "ALTER TABLE ..."),
    ],
)
def test_words_that_can_quote_rows_are_left_out(entry: str, words: str, command: str) -> None:
    assert said(Complaint(entry, words, command)) == (
        f"the data cannot be restored on embedded: it failed at {entry.removesuffix(' app')}.{HINT}"
    )


def test_masks_are_thought_of_where_rows_break_something_after_them() -> None:
    words = "could not execute query: ERROR:  could not create unique index"
    build = Complaint("INDEX public t_i app", words, "CREATE UNIQUE INDEX t_i ...")
    where = target()
    where.masked = True
    masked = "Its rows were masked before: another kind for its columns, where one breaks it? If not: "
    sentence = "the data cannot be restored on embedded: it failed at INDEX public t_i."
    assert said(build, where) == sentence + HINT.replace("  ", f"  {masked}", 1)
    assert said(Complaint("TABLE public t app", words, "CREATE TABLE t"), where).endswith(HINT)


def test_words_about_the_schema_are_told() -> None:
    words = 'could not execute query: ERROR:  type "public.geometry" does not exist'
    assert said(Complaint("TABLE public t app", words, "CREATE TABLE t")) == (
        "the data cannot be restored on embedded: it failed at TABLE public t: "
        f'type "public.geometry" does not exist.{HINT}'
    )


def test_view_that_cannot_be_filled_is_no_failure_but_a_lost_server_is() -> None:
    where, command = target(), "REFRESH MATERIALIZED VIEW public.sums;"
    query = "could not execute query: ERROR:  "
    assert passed_over(Complaint("MATERIALIZED VIEW DATA public sums app", query + "no such table", command), where)
    assert where.unfilled == ["public.sums"]
    lost = Complaint("MATERIALIZED VIEW DATA public sums app", "could not execute query: no connection", command)
    assert not passed_over(lost, where)
    assert where.unfilled == ["public.sums"]


def test_full_disk_is_told_from_the_words_or_the_servers_log(tmp_path: Path) -> None:
    full = 'COPY failed for table "t": ERROR:  could not extend file "base/5/1": No space left on device'
    sentence = "the disk of embedded is full: the copy of the data does not fit.\n  Free some space, or "
    assert said(Complaint("TABLE DATA public t app", full)) == sentence + "give another --server."
    (log := tmp_path / "log").write_text("PANIC:  could not write to file: No space left on device\n")
    lost = Complaint("TABLE DATA public t app", "server closed the connection unexpectedly")
    assert said(lost, target(log=log)) == sentence + "set TMPDIR to a directory with more room."


@pytest.mark.parametrize(
    "words",
    [
        "could not read from input file: end of file",
        "could not read from input file: /dumps/shop/3343.dat.gz: incorrect data check",
        "could not uncompress data: incorrect data check",
        "could not decompress: ERROR_frameType_unknown",
        "could not decompress data: Data corruption detected",
        'could not close data file "/dumps/shop/3343.dat": Success',
        'could not open input file "/dumps/shop/blob_1.dat": No such file or directory',
        'invalid line in large object TOC file "/dumps/shop/blobs.toc": "16"',
        "could not find block ID 3345 in archive -- possibly corrupt archive",
        "entry ID 1 out of range -- perhaps a corrupt TOC",
        "found unexpected block ID (0) when reading data -- expected 3345",
        "input file does not appear to be a valid archive (too short?)",
        "unexpected end of file",
    ],
)
def test_cut_off_archive(words: str) -> None:
    assert said(Complaint("", words)) == (
        "shop.dump is truncated or damaged: pg_restore cannot read on in it.\n"
        "  Copy it again, or dump it again: pg_dump -Fc -f FILE DATABASE"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        *((words, words) for words in OF_ITS_OWN),
        ('COPY failed for table "t": FEHLER:  ungültige Eingabe: "s3cret"', 'COPY failed for table "t"'),
        ('error returned by PQputCopyEnd: FEHLER:  "s3cret": Permission denied', "error returned by PQputCopyEnd"),
        ("could not write to large object: FEHLER:  s3cret", "could not write to large object"),
    ],
)
def test_other_words_of_pg_restores_own_are_told_and_no_servers(words: str, told: str) -> None:
    """In whatever language: a server that speaks German says FEHLER."""
    assert said(Complaint("", words)) == f"pg_restore into embedded failed: {told}.{HINT}"


def test_command_of_an_error_that_was_passed_over_is_not_the_next_ones() -> None:
    said = [
        entry(1, "ACL public t").encode(),
        b"pg_restore: error: could not execute query: ERROR:  no such role",
        b"Command was: GRANT SELECT ON TABLE t TO reader;",
        b"pg_restore: error: could not read from input file: end of file",
    ]
    with pytest.raises(GreenroomError, match=r"^shop\.dump is truncated or damaged"):
        watch([(1, line) for line in said], target(superuser=False), Silent(), cut_off_in("shop.dump"))


def test_lost_server() -> None:
    assert said(Complaint("TABLE DATA public t app", "error returned by PQputCopyData: connection is gone")) == (
        "the server embedded went away while the data was restored.\n  Look into its log, then run again."
    )


@pytest.mark.parametrize(
    ("command", "as_superuser", "as_other"),
    [
        ("SET transaction_timeout = 0;", True, True),
        ("COMMENT ON EXTENSION pg_trgm IS 'x';", True, True),
        ("GRANT SELECT ON TABLE t TO reader;", False, True),
        ("ALTER FUNCTION f() OWNER TO postgres;", False, True),
        ("CREATE EXTENSION IF NOT EXISTS pg_stat_statements WITH SCHEMA public;", False, True),
        ("CREATE EVENT TRIGGER seen ON sql_drop EXECUTE FUNCTION f();", False, True),
        ("CREATE FUNCTION f() RETURNS int LEAKPROOF;", False, False),
        ("CREATE TABLE t (id int);", False, False),
    ],
)
def test_harmless_errors_are_passed_over(command: str, as_superuser: bool, as_other: bool) -> None:
    complaint = Complaint("ACL public t app", "could not execute query: ERROR:  no", command)
    assert passed_over(complaint, target()) is as_superuser
    assert passed_over(complaint, target(superuser=False)) is as_other


def said_by(who: int, *lines: str) -> list[tuple[int, bytes]]:
    return [(who, line.encode()) for line in lines]


def entry(number: int, of: str) -> str:
    return f"pg_restore: from TOC entry {number}; 2606 1 {of} app"


def test_each_jobs_error_is_judged_by_its_own_entry() -> None:
    """Two jobs fail at once: what the first may be told in the server's words, the second's would quote rows."""
    said = [
        *said_by(7, entry(1, "TRIGGER public t")),
        *said_by(8, entry(2, "CONSTRAINT public t t_pk")),
        *said_by(7, "pg_restore: error: could not execute query: ERROR:  no such function"),
        *said_by(8, 'pg_restore: error: could not execute query: ERROR:  invalid input: "s3cret"'),
        *said_by(8, "Command was: ALTER TABLE ONLY public.t", "    ADD CONSTRAINT t_pk PRIMARY KEY (id);"),
        *said_by(7, "Command was: CREATE TRIGGER ..."),
    ]
    with pytest.raises(GreenroomError) as raised:
        watch(said, target(), Silent(), cut_off_in("shop.dump"))
    assert str(raised.value) == (
        f"the data cannot be restored on embedded: it failed at CONSTRAINT public t t_pk.{HINT}"
    )


def test_job_that_was_ended_is_no_damaged_archive() -> None:
    assert said(Complaint("", "a worker process died unexpectedly")) == (
        "a process of pg_restore into embedded was ended.\n  Run it again; is memory short?"
    )
