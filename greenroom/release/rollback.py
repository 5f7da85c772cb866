"""Going back: in the middle of a deployment by breaking it off, afterwards by deploying what ran before.

Migrations are not taken back. Whether the release before can live on the new schema, the rehearsal's drill of the old
release has tried; that is said before anybody agrees.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from greenroom import console
from greenroom.aws import AwsError
from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.guard import Guard
from greenroom.release import records, schema, watching
from greenroom.release.deployer import Deployer, Past, Progress
from greenroom.release.files import Files, short
from greenroom.release.patience import patient
from greenroom.release.place import Place, Service
from greenroom.release.rehearsals import DIGEST
from greenroom.release.schema import Schema

TAKEN_BACK_SECONDS = 60.0
GOES_BACK = "greenroom: rollback from "  # begins the description of each deployment that goes back


@dataclass(frozen=True)
class Back:
    """What a rollback will do. `deployment`: it is broken off; else `task_definition` is deployed, past `alarms`."""

    deployment: str | None
    task_definition: str | None
    leaves: str | None
    image: str | None
    schema: Schema
    alarms: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Before anybody agrees."""
        what = (
            f"break off deployment {self.deployment}: the traffic goes back to where it was"
            if self.deployment
            else f"deploy {short(self.task_definition)} again, in place of {short(self.leaves)}"
        )
        past = f"\n  No alarm stops it: {', '.join(self.alarms)}" if self.alarms else ""
        return f"  {what}{past}\n  {self.schema.sentence}\n  No migration is taken back."


def planned(guard: Guard, where: Place, deployer: Deployer, service: Service, to: str | None) -> Back:
    """What there is to go back to. Raises GreenroomError where there is nothing; AwsError."""
    if to is not None and not to.strip():
        raise GreenroomError(
            "--to names nothing.", "Leave it out to go back to what ran before, or: --to FAMILY:REVISION"
        )
    if under_way := deployer.under_way():
        now = deployer.progress(under_way)
        _refuse_back_and_forth(where, now)
        if to:
            raise GreenroomError(
                f"deployment {under_way} is under way, and can only be broken off.", "First without --to, then with it."
            )
        coming = now.task_definition
        image, stays = _image(guard, where, coming), _stays(deployer, service, coming)
        older = schema.Older(short(stays) if stays else "the release before", _image(guard, where, stays))
        return Back(under_way, None, coming, image, schema.ask(guard, where, image, older))
    running, history = service.running_now, deployer.history()
    chosen = _fit(guard, where, service, to or _before(history, running).task_definition)
    image, older = _image(guard, where, running), schema.Older(short(chosen), _image(guard, where, chosen))
    found = schema.ask(guard, where, image, older)
    if found.allows is not False:
        found = _since(guard, running, short(chosen), found)
    return Back(None, chosen, running, image, found, deployer.wiring().alarms)


def refuse(back: Back, *, despite_schema: bool) -> None:
    """Raise GreenroomError (exit code 1) where the drill has shown that the release before cannot live there."""
    if back.schema.allows is False and not despite_schema:
        raise GreenroomError(
            f"not rolled back: {back.schema.sentence}",
            "Mend it forwards; or, where what runs now is worse: --despite-schema",
            code=ANSWER_IS_NO,
        )


def carry_out(
    guard: Guard, where: Place, deployer: Deployer, files: Files, back: Back, say: Callable[[str], None]
) -> str:
    """Do it and watch it; what came of it. Raises GreenroomError where it did not come about."""
    record = records.begun(guard, "rollback", back.image, back.leaves)
    records.write(guard, where, record.then(back.task_definition, back.deployment))
    with console.progress() as display:
        if back.deployment:
            return _broken_off(guard, where, deployer, back.deployment, display, say)
        definition = back.task_definition
        assert definition is not None, "there is one where nothing is under way"
        text = f"{GOES_BACK}{short(back.leaves)}"

        def begun(deployment: str) -> None:
            say(f"deployment {deployment} to {short(definition)}")
            records.complete(guard, where, record.then(definition, deployment), say)

        appspec = files.appspec_for(definition)
        ended = watching.begin(
            guard,
            where,
            deployer,
            display,
            lambda: deployer.start(definition, appspec, text, past_alarms=bool(back.alarms)),
            begun,
        )
    if ended.state != "succeeded":
        raise _not_back(guard, where, ended)
    return f"{short(definition)} bears the traffic again."


def _broken_off(
    guard: Guard,
    where: Place,
    deployer: Deployer,
    deployment: str,
    display: console.Progress,
    say: Callable[[str], None],
) -> str:
    """A deployment that is broken off may be taken back by another one, which is watched too."""
    deployer.stop(deployment)
    say(f"breaking off {deployment}")
    ended = watching.watch(guard, where, deployer, deployment, display)
    if ended.state == "succeeded":
        raise GreenroomError(
            f"deployment {deployment} was over before it could be broken off.",
            f"Go back to what ran before: ./inv rollback --environment {where.environment.name}",
            code=ANSWER_IS_NO,
        )
    ended = _taken_back(deployer, ended)
    if ended.rollback:
        say(f"taken back by {ended.rollback}")
        back = watching.watch(guard, where, deployer, ended.rollback, display)
        if back.state != "succeeded":
            raise _not_back(guard, where, back)
    elif not ended.untouched:
        raise _not_back(guard, where, ended)
    return f"deployment {deployment} is broken off; the traffic is where it was."


def _refuse_back_and_forth(where: Place, now: Progress) -> None:
    """To break off what takes a release back would leave the traffic with that release, or between the two."""
    watch = f"Watch it: ./inv status --environment {where.environment.name}"
    if now.takes_back:
        raise GreenroomError(
            f"deployment {now.id} already takes the traffic back to {short(now.task_definition)}.",
            watch,
            code=ANSWER_IS_NO,
        )
    if now.description.startswith(GOES_BACK):
        raise GreenroomError(
            f"deployment {now.id} is a rollback to {short(now.task_definition)}, and under way already.", watch
        )


def _taken_back(deployer: Deployer, ended: Progress) -> Progress:
    """A deployment is stopped some seconds before the one that takes it back has begun."""
    deadline = time.monotonic() + TAKEN_BACK_SECONDS
    while not (ended.rollback or ended.untouched) and time.monotonic() < deadline:
        time.sleep(watching.POLL_SECONDS)
        ended = patient(partial(deployer.progress, ended.id)) or ended
    return ended


def _not_back(guard: Guard, where: Place, ended: Progress) -> GreenroomError:
    name = where.environment.name
    return GreenroomError(
        watching.failure(guard, where, ended),
        f"Where the traffic is: ./inv status --environment {name}",
        code=ANSWER_IS_NO,
    )


def _before(history: list[Past], now: str | None) -> Past:
    """The newest release of an earlier revision: after a rollback, not the one that was rolled back."""
    if found := _known_before(history, now):
        return found
    raise GreenroomError(
        f"no release before {short(now)} is known to have succeeded.",
        "Name what to go back to: --to FAMILY:REVISION (aws ecs list-task-definitions).",
        code=ANSWER_IS_NO,
    )


def _stays(deployer: Deployer, service: Service, coming: str | None) -> str | None:
    """What has the traffic once `coming` is broken off: what has it now; in the bake, what had it before."""
    running = service.running_now
    if running != coming:
        return running
    found = _known_before(deployer.history(), coming)
    return found.task_definition if found else None


def _known_before(history: list[Past], now: str | None) -> Past | None:
    family, revision = _revision(now)
    for past in history:
        of, number = _revision(past.task_definition)
        if of == family and number < revision:
            return past
    return None


def _since(guard: Guard, running: str | None, chosen: str, found: Schema) -> Schema:
    """What is known where something newer than what runs may have migrated. Whoever may not look there goes on."""
    try:
        newest = _newest(guard, running)
    except AwsError as error:
        if error.why != "denied":
            raise
        return schema.unseen(chosen, error.sentence) if found.allows else found
    return schema.moved_on(chosen, short(newest)) if _revision(newest) > _revision(running) else found


def _newest(guard: Guard, now: str | None) -> str | None:
    """The newest revision that is registered: it may have migrated, also where its deployment was taken back."""
    family, _ = _revision(now)
    answer = guard.call("ecs", "list_task_definitions", familyPrefix=family, sort="DESC", maxResults=10)
    return next((arn for arn in answer["taskDefinitionArns"] if _revision(arn)[0] == family), None)


def _fit(guard: Guard, where: Place, service: Service, task_definition: str) -> str:
    """Its ARN, as an appspec wants it. Raises GreenroomError where the service cannot run it."""
    listed = "aws ecs list-task-definitions lists what there is."
    try:
        found = guard.call("ecs", "describe_task_definition", taskDefinition=task_definition)["taskDefinition"]
    except AwsError as error:
        if error.reason != "ClientException":  # ECS has no error of its own for it
            raise
        raise GreenroomError(f"ECS has no task definition {short(task_definition)}.", listed) from None
    arn = str(found["taskDefinitionArn"])
    if found.get("status") == "INACTIVE":
        raise GreenroomError(f"{short(arn)} is deregistered, and runs no more.", f"Name another with --to: {listed}")
    if arn == service.running_now:
        raise GreenroomError(f"{short(arn)} is what runs.", f"Name another: {listed}")
    ports = {
        (one["name"], mapped.get("containerPort"))
        for one in found["containerDefinitions"]
        for mapped in one.get("portMappings") or ()
    }
    if not ports.issuperset(service.containers):
        wanted = ", ".join(f"{name}:{port}" for name, port in service.containers)
        raise GreenroomError(f"{short(arn)} has no {wanted}, where the load balancer leads.", f"Name another: {listed}")
    _refuse_expired(guard, where, found)
    return arn


def _refuse_expired(guard: Guard, where: Place, definition: dict[str, Any]) -> None:
    """Old images are removed from ECR: tasks of one would never start. Whoever may not look there goes on."""
    images = [str(one.get("image", "")) for one in definition["containerDefinitions"]]
    for digest in [image.rpartition("@")[2] for image in images]:
        if where.image(digest) not in images:  # of another registry
            continue
        try:
            there = {"registryId": where.environment.account, "repositoryName": where.repository}
            guard.call("ecr", "describe_images", **there, imageIds=[{"imageDigest": digest}])
        except AwsError as error:
            if error.why == "denied":
                return
            if error.why != "not found":
                raise
            raise GreenroomError(
                f"ECR has the image of {short(definition['taskDefinitionArn'])} no more: "
                f"{where.repository}@{digest[:19]}.",
                "Name another: --to FAMILY:REVISION; or release that commit anew: "
                f"{where.inv('build --push')}, then {where.inv('deploy')}",
                code=ANSWER_IS_NO,
            ) from None


def _revision(task_definition: str | None) -> tuple[str, int]:
    family, _, number = short(task_definition).rpartition(":")
    return family, int(number) if number.isdigit() else 0


def _image(guard: Guard, where: Place, task_definition: str | None) -> str | None:
    """The digest that a task definition runs: of the place's repository, since what runs beside the app has one too."""
    if task_definition is None:
        return None
    described = guard.call("ecs", "describe_task_definition", taskDefinition=task_definition)["taskDefinition"]
    images = [str(one.get("image", "")) for one in described["containerDefinitions"]]
    digests = [digest for image in images if DIGEST.fullmatch(digest := image.rpartition("@")[2])]
    return next((digest for digest in digests if where.image(digest) in images), next(iter(digests), None))
