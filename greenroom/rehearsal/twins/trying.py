"""The twins run on a clone of the copy as it was, watched and judged as the rehearsal was."""

from __future__ import annotations

from pathlib import Path

import psycopg

from greenroom.errors import GreenroomError
from greenroom.postgres import catalog
from greenroom.postgres.address import Address
from greenroom.postgres.server import connect, unanswered
from greenroom.rehearsal import document as doc
from greenroom.rehearsal.drills import Stage
from greenroom.rehearsal.observer import NotBegun
from greenroom.rehearsal.twins import contents
from greenroom.rehearsal.twins.comparing import End, compared
from greenroom.rehearsal.twins.writing import Written
from greenroom.rehearsal.watching import Watched


def rehearsed(stage: Stage, written: list[Written]) -> list[doc.Twin]:
    """All of them in one run. Where one fails, the others have another without it."""
    done: list[doc.Twin] = []
    while written:
        if stage.why_not:
            return [*done, *(_not_rehearsed(one, stage.why_not) for one in written)]
        stage.progress.step(f"rehearsing the safe twin of {', '.join(one.twin.migration for one in written)}")
        try:
            run, end = _run(stage, written)
        except NotBegun as error:  # which it did without these files
            return [*done, *(_not_loaded(one, error.sentence) for one in written)]
        except GreenroomError as error:
            return [*done, *(_not_rehearsed(one, error.sentence) for one in written)]
        except psycopg.Error as error:
            return [*done, *(_not_rehearsed(one, unanswered(error)) for one in written)]
        if run.error is None:
            return [*done, *(compared(stage, one, run, end) for one in written)]
        broken = [one for one in written if run.error.migration in one.steps] or written
        done += [_failed(one, run.error) for one in broken]
        written = [one for one in written if one not in broken]
        _remove(broken)
    return done


def _run(stage: Stage, written: list[Written]) -> tuple[Watched, End]:
    """What was seen, and how its end differs from that of the migrations themselves."""
    hidden = {one.package: str(one.directory) for one in written}
    with stage.pristine_clone() as clone:
        run = stage.repeat(clone, shadow=hidden, targets=_whole(stage), also_probed=tuple(stage.watched.probed))
        return run, _end(stage, clone.admin) if run.error is None else End()


def _end(stage: Stage, clone: Address) -> End:
    with connect(stage.copy.admin) as wanted, connect(clone) as found:
        schema = catalog.difference(catalog.read(wanted), catalog.read(found))
    return End(schema, [] if schema else contents.differences(stage, clone))


def _whole(stage: Stage) -> list[str]:
    """The targets by their whole names: the steps of a twin begin as its migration does."""
    known = [*(f"{one.app}.{one.name}" for one in stage.watched.plan.migrations), *sorted(stage.watched.applied)]
    return [next((name for name in known if "." in one and name.startswith(one)), one) for one in stage.request.targets]


def _remove(written: list[Written]) -> None:
    for one in written:
        for file in one.files:
            (one.directory / Path(file.path).name).unlink()


def _failed(one: Written, error: doc.RehearsalError) -> doc.Twin:
    """It is not offered: a file that cannot run on this data is none to copy."""
    state = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    told = f"{(error.exception or error.kind).rpartition('.')[2]}{state} on a clone of the copy, so it is not offered."
    return one.twin.model_copy(update={"status": "failed", "reason": f"{error.migration or 'It'} failed with {told}"})


def _not_loaded(one: Written, why: str) -> doc.Twin:
    reason = f"The project does not come up with it, so it is not offered: {why.rstrip('.')}."
    return one.twin.model_copy(update={"status": "failed", "reason": reason})


def _not_rehearsed(one: Written, why: str) -> doc.Twin:
    return one.twin.model_copy(update={"status": "not rehearsed", "reason": why, "files": one.files})
