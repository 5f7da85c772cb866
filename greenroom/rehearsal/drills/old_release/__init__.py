"""old-release: the code that is still running meets the new schema, model by model.

`base` says which release that is and brings its code with its own dependencies; `exercise` has it read and write on a
clone, `checking` runs its smoke tests; `seen` compares that with a clone of the copy as it was, since what fails there
already is nobody's fault; `judging` makes findings of what it can no longer do.
"""

from __future__ import annotations

from typing import Literal

from greenroom.copies.acquiring import Acquired
from greenroom.rehearsal.document import Drill, DrillStep, Finding
from greenroom.rehearsal.drills.old_release.base import Base, NoBase, refuse_unknown, released
from greenroom.rehearsal.drills.old_release.checking import checked
from greenroom.rehearsal.drills.old_release.exercise import Try, tried, understood, written
from greenroom.rehearsal.drills.old_release.judging import findings, schemas
from greenroom.rehearsal.drills.old_release.seen import Seen
from greenroom.rehearsal.drills.stage import Outcome, Stage
from greenroom.rehearsal.report.words import counted

NAMED = 5  # models in a sentence


def hold(stage: Stage) -> Outcome:
    """Have the running release read and write on the new schema. Raises GreenroomError."""
    try:
        with released(stage.request, stage.progress) as base:
            return _held(stage, base)
    except NoBase as error:
        return Outcome(Drill(name="old-release", status="not run", reason=f"{error.sentence} {error.hint}".rstrip()))


def _held(stage: Stage, base: Base) -> Outcome:
    stage.progress.detail(f"{base.name} on the schema of before, and on the new one")
    with stage.migrated_clone() as clone:
        before, after = _both(stage, base, clone)
        stage.progress.detail(f"{base.name} reads what the new release writes")
        after += understood(stage, base, clone, written(stage, clone))
        checks = checked(stage, base, clone)
    seen = Seen(before, after)
    found = findings(stage, seen, schemas(stage))
    grave = [finding for finding in found if finding.severity == "failure"]
    refused = [f"{check.what} ended with {check.detail}." for check in checks if check.status == "failed"]
    worst = next(iter([*(finding.evidence.summary for finding in grave), *refused]), "")
    drill = Drill(
        name="old-release",
        status="failed" if worst else "broken off" if seen.nothing_judged else "passed",
        reason=f"{base.name} ({base.how}){_reason(seen, worst)}{_but(found)}",
        steps=[*_steps(seen), *checks],
        release=base.release,
    )
    return Outcome(drill, found)


def _both(stage: Stage, base: Base, clone: Acquired) -> tuple[list[Try], list[Try]]:
    """What it can do on the schema of before, and on the new one: at the same time, since nothing of it is timed."""
    with (
        stage.pristine_clone() as old,
        tried(stage, base, old) as before,
        tried(stage, base, clone) as after,
    ):
        return before(), [one for one in after() if one.action != "understand"]


def _steps(seen: Seen) -> list[DrillStep]:
    """Each model: what it could do before and cannot now, and what could not be judged."""
    return [_step(seen, model) for model in seen.models]


def _step(seen: Seen, model: str) -> DrillStep:
    failed = [one for one in seen.blamed if one.model == model]
    said = [_failing(one) for one in failed]
    if not failed:
        said = [f"{counted(seen.well(model), 'try', 'tries')} as before"]
    unjudged = seen.unjudged(model)
    if unjudged:
        said.append(f"not judged, because it fails on the old schema too: {', '.join(unjudged)}")
    for table, actions in seen.elsewhere(model).items():
        said.append(f"not judged, because {table} refuses a row that it needs: {', '.join(actions)}")
    broken = any(one.exception and one.action != "understand" for one in failed)
    noted = failed or seen.in_part(model)
    status: Literal["failed", "note", "passed"] = "failed" if broken else "note" if noted else "passed"
    return DrillStep(what=model, status=status, detail="; ".join(said))


def _failing(one: Try) -> str:
    if one.exception:
        return f"{one.action} fails with {one.why}"
    return f"{one.action} now reads all of {', '.join(one.scans)}"


def _but(found: list[Finding]) -> str:
    """What it can do, and still should not have to: values that it does not know, look-ups without their index."""
    warnings = [finding for finding in found if finding.severity == "warning"]
    if not warnings:
        return ""
    more = f" (and {counted(len(warnings) - 1, 'more warning')})" if len(warnings) > 1 else ""
    return f" But {warnings[0].evidence.summary.removesuffix('.')}{more}."


def _reason(seen: Seen, worst: str) -> str:
    """What follows the release's name."""
    models = counted(len(seen.models), "model")
    in_part = [model for model in seen.models if seen.in_part(model)]
    listed = f"{', '.join(in_part[:NAMED])}{f' and {len(in_part) - NAMED} more' if len(in_part) > NAMED else ''}"
    gap = f" {len(in_part)} of {models} could not be judged fully: {listed}." if in_part else ""
    if worst:
        more = len({one.model for one in seen.blamed}) - 1
        others = f" So do {counted(more, 'more model')}." if more > 0 else ""
        return f": {worst}{others}{gap}"
    if seen.nothing_judged:
        return f" could write nothing on the old schema either, so that nothing is known of the new one.{gap}"
    if in_part:
        return f" can do on the new schema what it could do on the old one, as far as that was tried.{gap}"
    return f" reads and writes all {models} on the new schema."


__all__ = ["hold", "refuse_unknown"]
