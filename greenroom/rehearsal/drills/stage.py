"""What the drills share: the copy before and after the migration, clones of both, and how `migrate` is run on one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from greenroom.console import Progress
from greenroom.copies.acquiring import Acquired
from greenroom.copies.cloning import cloned
from greenroom.rehearsal.document import Drill, Finding
from greenroom.rehearsal.request import Request
from greenroom.rehearsal.watching import Watched, watch


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
