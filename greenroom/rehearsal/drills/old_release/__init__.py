"""old-release: the code that is still running meets the new schema, model by model.

`base` says which release that is and brings its code with its own dependencies; `exercise` has it read and write on a
clone, `checking` runs its smoke tests; `judging` makes findings of what it can no longer do. The same is tried on a
clone of the copy as it was: what fails there already is nobody's fault.
"""

from __future__ import annotations

from greenroom.copies.acquiring import Acquired
from greenroom.rehearsal.document import Drill, DrillStep
from greenroom.rehearsal.drills.old_release.base import Base, NoBase, refuse_unknown, released
from greenroom.rehearsal.drills.old_release.checking import checked
from greenroom.rehearsal.drills.old_release.exercise import Try, exercised, exercising
from greenroom.rehearsal.drills.old_release.judging import broken, findings, schemas
from greenroom.rehearsal.drills.stage import Outcome, Stage
from greenroom.rehearsal.report.words import counted


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
        exercised(stage, Base("the new release", stage.request.project, "as it is"), clone, "write")
        after += exercised(stage, base, clone, "understand")
        checks = checked(stage, base, clone)
    failed = broken(before, after)
    found = findings(stage, failed, schemas(stage))
    steps = [_step(model, before, after, failed) for model in dict.fromkeys(one.model for one in after)]
    steps += checks
    grave = [finding for finding in found if finding.severity == "failure"]
    refused = [f"{check.what} ended with {check.detail}." for check in checks if check.status == "failed"]
    worst = next(iter([*(finding.evidence.summary for finding in grave), *refused]), "")
    drill = Drill(
        name="old-release",
        status="failed" if grave or refused else "passed",
        reason=_reason(base, after, failed, worst),
        steps=steps,
    )
    return Outcome(drill, found)


def _both(stage: Stage, base: Base, clone: Acquired) -> tuple[list[Try], list[Try]]:
    """What it can do on the schema of before, and on the new one: at the same time, since nothing of it is timed."""
    with (
        stage.pristine_clone() as old,
        exercising(stage, base, old, "try") as before,
        exercising(stage, base, clone, "try") as after,
    ):
        return before(), [one for one in after() if one.action != "understand"]


def _step(model: str, before: list[Try], after: list[Try], failed: list[Try]) -> DrillStep:
    """One model: what it could do before and cannot now, and what could not be judged."""
    mine = [one for one in failed if one.model == model]
    unjudged = sorted({one.action for one in before if one.model == model and one.exception})
    tried = sum(one.model == model for one in after) - len(unjudged)
    if mine:
        detail = "; ".join(f"{one.action} fails with {one.why}" for one in mine)
    else:
        detail = f"{counted(tried, 'try', 'tries')} as before"
    if unjudged:
        detail += f"; not judged, because it fails on the old schema too: {', '.join(unjudged)}"
    return DrillStep(what=model, status="failed" if mine else "passed", detail=detail)


def _reason(base: Base, after: list[Try], failed: list[Try], worst: str) -> str:
    models = len({one.model for one in after})
    where = f"{base.name} ({base.how})"
    if worst:
        more = len({one.model for one in failed}) - 1
        others = f" So do {counted(more, 'more model')}." if more > 0 else ""
        return f"{where}: {worst}{others}"
    return f"{where} reads and writes all {counted(models, 'model')} on the new schema."


__all__ = ["hold", "refuse_unknown"]
