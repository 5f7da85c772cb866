"""What the drills share: the copy before and after the migration, clones of both, and how `migrate` is run on one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from greenroom.console import Progress
from greenroom.copies.acquiring import Acquired
from greenroom.copies.cloning import cloned
from greenroom.errors import GreenroomError
from greenroom.rehearsal.document import Drill, Finding
from greenroom.rehearsal.request import Request
from greenroom.rehearsal.watching import Watched, watch

# what becomes of a role, database or tablespace that is made or dropped twice, and of one that is used elsewhere
DONE_ALREADY = ("42710", "42P04", "42704", "3D000")
IN_USE = ("2BP01", "55006")


@dataclass
class Outcome:
    """A drill that was held, or could not be; with what it found."""

    drill: Drill
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Stage:
    """`copy` is migrated, `pristine` is as the copy was before; both stay as they are: a drill works on clones.

    `why_not`: the reason why there is no clone, where that is so; then `pristine` is the copy itself. `unasked`: why
    drills that nobody has named are not held.
    """

    request: Request
    copy: Acquired
    pristine: Acquired
    watched: Watched
    progress: Progress
    why_not: str = ""
    unasked: str = ""

    @contextmanager
    def migrated_clone(self) -> Iterator[Acquired]:
        """As the copy is now."""
        with cloned(self.copy, self.request.source) as clone:
            yield clone

    @contextmanager
    def pristine_clone(self) -> Iterator[Acquired]:
        """As the copy was before the migration."""
        with cloned(self.pristine, self.request.source) as clone:
            yield clone

    def run(self, clone: Acquired, **changes: Any) -> Watched:
        """Run `migrate` on a clone, watched as the rehearsal was; `changes` are fields of the request."""
        return watch(replace(self.request, **{"performed": None, **changes}), clone, Quiet(self.progress))

    def repeat(self, clone: Acquired, **changes: Any) -> Watched:
        """Run on a pristine clone what the rehearsal has run. Raises GreenroomError where that made it impossible."""
        run = self.run(clone, **changes)
        refuse_shared(run, DONE_ALREADY, "where the rehearsal had done so already")
        return run


def refuse_shared(run: Watched, sqlstates: Collection[str], why: str) -> None:
    """Raises GreenroomError where it failed only because the copy and its clones share a server."""
    wide = run.recorder.server_wide
    if run.error and run.error.statement and wide and run.error.sqlstate in sqlstates:
        raise GreenroomError(
            f"{run.error.migration or 'migrate'} changes what belongs to the whole server ({wide}), {why} (SQLSTATE "
            f"{run.error.sqlstate}): on a clone, which shares that server, this cannot be tried."
        )


@dataclass(frozen=True)
class Quiet:
    """A Progress within a step: whatever begins here is a detail of it."""

    progress: Progress

    def step(self, text: str) -> None:
        """As a detail."""
        self.progress.detail(text)

    def detail(self, text: str) -> None:
        """As it is."""
        self.progress.detail(text)
