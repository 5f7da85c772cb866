"""A release from its image to the end of the bake: look, migrate once, register, shift the traffic, watch."""

from __future__ import annotations

from collections.abc import Callable

from greenroom import console
from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.release import files, gate, migrating, records, timing, watching
from greenroom.release.deployer import Wiring
from greenroom.release.doctor import Check, Subject, refuse_unfit
from greenroom.release.files import short


def refuse(subject: Subject, checks: list[Check]) -> None:
    """Raise GreenroomError (exit code 1) where this image may not go there now."""
    gate.refuse_shut(subject.gate)
    refuse_unfit(checks, subject.excused)


def preview(subject: Subject, *, only_migrate: bool = False) -> str:
    """What will be done, in order, before anybody agrees."""
    where, found = subject.where, subject.gate
    wiring, reasons = subject.deployer.wiring(), (found.unrehearsed, subject.despite_alarm)
    plans = "whatever is pending, UNREHEARSED" if found.unrehearsed else f"by a rehearsed plan only ({found.sentence})"
    steps = [
        f"record it in {where.bucket}" + "".join(f", with the reason: {one}" for one in reasons if one),
        f"register a task definition with {where.repository}@{subject.digest[:19]}",
        f"migrate the database once, in a one-off task, {plans}",
    ]
    if not only_migrate:
        keep = f"keep the old side for {wiring.bake_minutes} min"
        back = way_back(wiring, past_alarms=subject.despite_alarm is not None)
        steps.append(f"shift the traffic from {short(subject.service.running_now)} by {where.deployment_group}; {back}")
        steps.append(f"bake: {keep}, then end it")
    lines = [f"  {number} {step}" for number, step in enumerate(steps, 1)]
    lines += [] if only_migrate else [f"    {line}" for line in timing.shown(subject.guard, wiring, subject.files)]
    return "\n".join(lines)


def way_back(wiring: Wiring, *, past_alarms: bool) -> str:
    """What takes a deployment back by itself, by the deployment group's own events."""
    alarm = wiring.alarm_rolls_back and bool(wiring.alarms) and not past_alarms
    if wiring.failure_rolls_back:
        return "alarms and failures take it back" if alarm else "failures, and NO ALARM, take it back"
    return "alarms, and NO FAILURE, take it back" if alarm else "NOTHING takes it back by itself"


def migrate(subject: Subject, say: Callable[[str], None]) -> records.Record:
    """The part before the traffic: record, register, migrate. The guard must have been agreed to."""
    found = subject.gate
    record = records.begun(subject.guard, "release", subject.digest, subject.service.running_now)
    record = records.allowed(record, found.plans, found.unrehearsed, subject.despite_alarm)
    records.write(subject.guard, subject.where, record)
    image = files.uri(subject.config, subject.where.environment, subject.digest)
    definition = files.register(subject.guard, subject.files, image)
    say(f"registered {short(definition)}")
    migrating.migrate(subject, definition, say)
    record = record.then(task_definition=definition)
    records.complete(subject.guard, subject.where, record, say)
    return record


def deploy(subject: Subject, say: Callable[[str], None]) -> str:
    """All of it; what came of it, in a sentence. Raises GreenroomError where the release did not succeed."""
    record = migrate(subject, say)
    definition = record.task_definition
    assert definition is not None, "it was registered"
    appspec = subject.files.appspec_for(definition)

    def begun(deployment: str) -> None:
        say(f"deployment {deployment} to {short(definition)}")
        records.complete(subject.guard, subject.where, record.then(deployment=deployment), say)

    with console.progress() as display:
        ended = watching.begin(
            subject.guard,
            subject.where,
            subject.deployer,
            display,
            lambda: subject.deployer.start(
                definition, appspec, description(subject), past_alarms=subject.despite_alarm is not None
            ),
            begun,
        )
    if ended.state != "succeeded":
        raise GreenroomError(
            watching.failure(subject.guard, subject.where, ended),
            f"The migrations stay. See ./inv ecs-logs --environment {subject.where.environment.name}; "
            f"where the traffic is: ./inv status --environment {subject.where.environment.name}",
            code=ANSWER_IS_NO,
        )
    return f"{short(definition)} bears the traffic; the old side is gone."


def description(subject: Subject) -> str:
    """What the deployment says of itself, wherever it is shown."""
    reason, alarm = subject.gate.unrehearsed, subject.despite_alarm
    rehearsed = f", UNREHEARSED: {reason}" if reason else ", rehearsed"
    return f"greenroom: {subject.digest[:19]}{rehearsed}" + (f", DESPITE AN ALARM: {alarm}" if alarm else "")
