"""The one face of all engines: a copy for as long as a block lasts, and what was left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from greenroom.config import AnyTarget, AuroraTarget, CommandTarget, RdsTarget
from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.postgres.engines import aurora, command, rds, traces
from greenroom.postgres.engines.engine_copy import EngineCopy
from greenroom.postgres.lease import Lease
from greenroom.postgres.remains import Remains
from greenroom.secret import Secret


@contextmanager
def engine_copy(
    target: AuroraTarget | RdsTarget | CommandTarget,
    name: str,
    terms: Lease,
    password: Secret | None,
    progress: Progress,
    *,
    keep: bool = False,
) -> Iterator[EngineCopy]:
    """A copy of the target by its engine, ended when the context ends: on success, failure, Ctrl-C and SIGTERM.

    `password` is the source role's, and so the copy's, unless a command's URL has another. With `keep` a copy that is
    whole stays. Raises GreenroomError for whatever keeps it from being made; what was made until then is deleted too.
    """
    if isinstance(target, AuroraTarget):
        made = aurora.aurora_clone(target, name, terms, password, progress, keep=keep)
    elif isinstance(target, RdsTarget):
        made = rds.rds_restored(target, name, terms, password, progress, keep=keep)
    else:
        made = command.commanded(target, name, terms, password, progress, keep=keep)
    with made as copy:
        yield copy


def standing(
    databases: Mapping[str, AnyTarget], on_refusal: Callable[[GreenroomError], None] | None = None
) -> list[Remains]:
    """What bears a lease in the accounts and regions of these targets, and the copies of commands; the oldest first.

    `on_refusal` hears of an account that does not answer, and the others are listed; without it, raises AwsError.
    """
    return [*traces.in_aws(databases, on_refusal), *traces.of_commands()]
