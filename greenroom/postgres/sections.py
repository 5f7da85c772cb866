"""Restoring an archive, section by section: the schema, the rows, and what is built on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from greenroom.console import Progress
from greenroom.postgres import outside, toc, workers
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.restoring import Stored, Target, jobs, restore_section

_ATTACHING = "INDEX ATTACH"
_EVENT_TRIGGER = "EVENT TRIGGER"


def restore_file(
    archive: Path,
    target: Target,
    binaries: Binaries,
    progress: Progress,
    before_indexes: Callable[[], None] | None = None,
) -> None:
    """Restore an archive with several jobs. Raises GreenroomError.

    `before_indexes` is called when all rows are there, and no index, constraint or trigger is yet.
    """
    restore_stored(Stored(archive, archive.name), target, binaries, progress, before_indexes)


def restore_stored(
    stored: Stored,
    target: Target,
    binaries: Binaries,
    progress: Progress,
    before_indexes: Callable[[], None] | None = None,
) -> None:
    """The same, for an archive that may be nameless. Raises GreenroomError."""
    restore_pre_data(stored, target, binaries, progress)
    restore_data(stored, target, binaries, progress)
    if before_indexes:
        before_indexes()
    restore_post_data(stored, target, binaries, progress)


def restore_pre_data(stored: Stored, target: Target, binaries: Binaries, progress: Progress) -> None:
    """The schema, without indexes and constraints. Raises GreenroomError."""
    contents = toc.read(stored.table)
    target.without_cron += workers.depending_on_cron(contents)
    restore_section(stored, target, binaries, progress, "pre-data", only=allowed(contents))


def restore_data(stored: Stored, target: Target, binaries: Binaries, progress: Progress) -> None:
    """The rows, with several jobs. Raises GreenroomError."""
    only = allowed(toc.read(stored.table))
    restore_section(stored, target, binaries, progress, "data", jobs=jobs(), only=only)


def allowed(contents: toc.Contents) -> list[int] | None:
    """Numbers of all entries that a copy may have: no user mappings, and no pg_cron; None where that is all of them.

    A copy must never write into what belongs to the source, nor read what nobody has masked there: with the mapping a
    trigger, a migration or a materialised view that is filled would.
    """
    rest = [entry.number for entry in workers.without_cron(contents) if entry.kind != outside.KIND]
    return rest if len(rest) < len(contents.entries) else None


def restore_post_data(stored: Stored, target: Target, binaries: Binaries, progress: Progress) -> None:
    """Indexes, constraints, triggers and what comes after them, with several jobs. Raises GreenroomError.

    Nothing else is done while the indexes of partitions are attached: that locks them in an order in which no reader
    does, and a foreign key that is checked beside it would end in a deadlock.
    """
    for numbers, sessions in steps(toc.read(stored.table)):
        restore_section(stored, target, binaries, progress, "post-data", jobs=sessions, only=numbers)


def steps(contents: toc.Contents) -> Iterator[tuple[list[int] | None, int]]:
    """What is restored one after the other: numbers of the entries (None: all), and by how many sessions.

    Event triggers come last: pg_restore makes them beside what they may forbid, that is to fill materialised views.
    """
    every = list(contents.post_data)
    if (permitted := allowed(contents)) is not None:
        some = set(permitted)
        every = [entry for entry in every if entry.number in some]
    last = [entry.number for entry in every if _is_of_event_trigger(entry)]
    entries = [entry for entry in every if entry.number not in last]
    numbers = [entry.number for entry in entries]
    places = [place for place, entry in enumerate(entries) if entry.kind == _ATTACHING]
    if not places and not last and len(every) == len(list(contents.post_data)):
        yield None, jobs()
        return
    first, after = (places[0], places[-1] + 1) if places else (len(numbers), len(numbers))
    steps = [(numbers[:first], jobs()), (numbers[first:after], 1), (numbers[after:], jobs()), (last, 1)]
    yield from ((some, sessions) for some, sessions in steps if some)


def _is_of_event_trigger(entry: toc.Entry) -> bool:
    """One itself, or a comment on it."""
    told = entry.kind in ("COMMENT", "SECURITY LABEL") and entry.name.startswith(f"{_EVENT_TRIGGER} ")
    return entry.kind == _EVENT_TRIGGER or told
