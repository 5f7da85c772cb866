"""The sections of an archive: the first without user mappings, the last in steps where partitions have indexes."""

from __future__ import annotations

import pytest

from greenroom.errors import GreenroomError
from greenroom.postgres.outside import servers_in
from greenroom.postgres.restoring import jobs
from greenroom.postgres.sections import allowed, steps
from greenroom.postgres.toc import Contents, Entry
from greenroom.postgres.workers import depending_on_cron

NONE, PRE, DATA, POST = 1, 2, 3, 4


def contents(*entries: tuple[str, int]) -> Contents:
    made = (Entry(kind, "public", "x", "me", "", False, None, n, section) for n, (kind, section) in enumerate(entries))
    return Contents("shop", "18.0", "18.0", "none", tuple(made))


START = [("ENCODING", PRE), ("TABLE", PRE), ("ACL", NONE), ("TABLE DATA", DATA)]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["INDEX", "FK CONSTRAINT"], [(None, jobs())]),
        ([], [(None, jobs())]),
        (
            ["CONSTRAINT", "INDEX", "INDEX ATTACH", "COMMENT", "INDEX ATTACH", "TRIGGER", "FK CONSTRAINT"],
            [([4, 5], jobs()), ([6, 7, 8], 1), ([9, 10], jobs())],
        ),
        (["INDEX", "INDEX ATTACH"], [([4], jobs()), ([5], 1)]),
        (["INDEX", "EVENT TRIGGER", "MATERIALIZED VIEW DATA"], [([4, 6], jobs()), ([5], 1)]),
        (
            ["INDEX", "INDEX ATTACH", "EVENT TRIGGER", "MATERIALIZED VIEW DATA"],
            [([4], jobs()), ([5], 1), ([7], jobs()), ([6], 1)],
        ),
    ],
)
def test_steps_attach_alone_and_make_event_triggers_last(kinds: list[str], expected: list[object]) -> None:
    last = [(kind, NONE if kind == "COMMENT" else POST) for kind in kinds]
    assert list(steps(contents(*START, *last))) == expected


def test_comments_on_event_triggers_come_with_them() -> None:
    named = [("EVENT TRIGGER", "t"), ("COMMENT", "EVENT TRIGGER t"), ("INDEX", "EVENT TRIGGER i")]
    entries = (Entry(kind, None, name, "me", "", False, None, n, POST) for n, (kind, name) in enumerate(named))
    found = Contents("shop", "18.0", "18.0", "none", tuple(entries))
    assert list(steps(found)) == [([2], jobs()), ([0, 1], 1)]


def test_user_mappings_are_left_out_and_their_servers_told() -> None:
    """Their names are not quoted, so a server may look like the end of another's."""
    kinds = [("SERVER", "b"), ("SERVER", "a SERVER b"), ("USER MAPPING", "USER MAPPING me SERVER a SERVER b")]
    entries = [Entry(kind, None, name, "me", "", False, None, n, PRE) for n, (kind, name) in enumerate(kinds)]
    found = Contents("shop", "18.0", "18.0", "none", tuple(entries))
    assert allowed(found) == [0, 1] and servers_in(found) == ["a SERVER b"]
    assert allowed(contents(*START)) is None and servers_in(contents(*START)) == []


def test_pg_cron_is_left_out_with_all_that_is_its() -> None:
    its = [
        ("EXTENSION", None, "pg_cron"),
        ("COMMENT", None, "EXTENSION pg_cron"),
        ("ACL", None, "SCHEMA cron"),
        ("ACL", "cron", "FUNCTION schedule(text, text)"),
        ("TABLE DATA", "cron", "job"),
    ]
    own = [("TABLE", "public", "pg_cron"), ("ACL", "public", "TABLE cron"), ("EXTENSION", None, "hstore")]

    def archive(things: list[tuple[str, str | None, str]]) -> Contents:
        entries = [
            Entry(kind, schema, name, "me", "", False, None, n, PRE) for n, (kind, schema, name) in enumerate(things)
        ]
        return Contents("shop", "18.0", "18.0", "none", tuple(entries))

    assert allowed(archive([*its, *own])) == [5, 6, 7]
    assert allowed(archive([*its[1:], *own])) is None, "a schema of that name, without the extension"


def test_what_depends_on_pg_cron_is_left_out_and_told_but_no_table() -> None:
    def archive(kind: str) -> Contents:
        things = [
            ("EXTENSION", None, "pg_cron", ()),
            (kind, "public", "jobs", (0, 7)),
            ("COMMENT", "public", f"{kind} jobs", (1,)),
            ("VIEW", "public", "other", ()),
            ("INDEX", "public", "on_jobs", (1,)),
        ]
        entries = [
            Entry(kind, schema, name, "me", "", False, None, n, PRE, None, needs)
            for n, (kind, schema, name, needs) in enumerate(things)
        ]
        return Contents("shop", "18.0", "18.0", "none", tuple(entries))

    view = archive("MATERIALIZED VIEW")
    assert allowed(view) == [3]
    assert depending_on_cron(view) == ["MATERIALIZED VIEW public.jobs", "INDEX public.on_jobs"]
    with pytest.raises(GreenroomError) as caught:
        depending_on_cron(archive("TABLE"))
    assert caught.value.sentence == (
        "the copy is made without the extension pg_cron, and this depends on it: TABLE public.jobs."
    )
