"""What there is to go back to, and whether the schema allows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from greenroom.errors import GreenroomError
from greenroom.rehearsal.document import Drill, Release
from greenroom.release import rollback, schema
from greenroom.release.deployer import Past, Progress
from greenroom.release.rehearsals import Stored
from greenroom.release.rollback import Back
from greenroom.release.schema import Older, Schema
from tests.release import scene
from tests.release.scene import DEFINITION, NAME, NOW, Played, error


def drilled(status: str, reason: str = "v1 reads and writes 8 models", *, age: int = 0) -> Stored:
    drill = Drill(name="old-release", status=status, reason=reason, release=scene.TRIED)  # type: ignore[arg-type]
    return scene.stored(lambda made: setattr(made, "drills", [drill]), age=age)


def undrilled() -> Stored:
    return scene.stored(lambda made: setattr(made, "drills", []))


BEFORE = Older(f"{NAME}:1", scene.DIGEST)
UNKNOWN = f"Whether {NAME}:1 can live on this schema is not known: no rehearsal tried it."
FAILED = f"the schema does not allow it: {NAME}:1 failed on it: v1 cannot read ledger.Release"


@pytest.mark.parametrize(
    ("documents", "answer"),
    [
        ([], Schema(None, UNKNOWN)),
        ([undrilled()], Schema(None, UNKNOWN)),
        ([Stored("", NOW, None, "is not a document that this version of Greenroom reads")], Schema(None, UNKNOWN)),
        (
            [drilled("passed")],
            Schema(True, f"The schema allows it: a rehearsal tried {NAME}:1 on it: v1 reads and writes 8 models"),
        ),
        ([drilled("failed", "v1 cannot read ledger.Release")], Schema(False, FAILED)),
        (
            [drilled("not run", "there is no older release")],
            Schema(
                None,
                f"Whether {NAME}:1 can live on this schema is not known: "
                "the drill was not run: there is no older release",
            ),
        ),
        (
            [drilled("broken off", "the clone went away")],
            Schema(
                None,
                f"Whether {NAME}:1 can live on this schema is not known: the drill was broken off: the clone went away",
            ),
        ),
    ],
)
def test_schema(documents: list[Stored], answer: Schema) -> None:
    assert schema.judged(documents, BEFORE) == answer


def test_one_drill_that_failed_is_enough() -> None:
    """A rehearsal that was held after the release, with nothing pending, takes no failure back."""
    documents = [drilled("passed"), drilled("failed", "v1 cannot read ledger.Release", age=60)]
    assert schema.judged(documents, BEFORE) == Schema(False, FAILED)


def test_a_drill_that_was_not_run_again_takes_no_pass_back() -> None:
    assert schema.judged([drilled("not run"), drilled("passed", age=60)], BEFORE).allows is True


@pytest.mark.parametrize(
    ("allows", "despite", "refused"),
    [(False, False, True), (False, True, False), (None, False, False), (True, False, False)],
)
def test_refused_only_where_the_drill_failed(allows: bool | None, despite: bool, refused: bool) -> None:
    back = Back(None, f"{DEFINITION}:1", f"{DEFINITION}:2", None, Schema(allows, FAILED))
    if not refused:
        rollback.refuse(back, despite_schema=despite)
        return
    with pytest.raises(GreenroomError) as no:
        rollback.refuse(back, despite_schema=despite)
    assert (no.value.code, no.value.sentence) == (1, f"not rolled back: {FAILED}")
    assert no.value.hint == "Mend it forwards; or, where what runs now is worse: --despite-schema"


# -- what there is to go back to


def past(*revisions: int, family: str = NAME) -> list[Past]:
    """The newest first."""
    arn = DEFINITION.replace(NAME, family)
    return [Past(f"d-{n}", f"{arn}:{number}", NOW - timedelta(hours=n)) for n, number in enumerate(revisions)]


def defined(revision: int, **facts: Any) -> dict[str, Any]:
    return scene.described(taskDefinitionArn=f"{DEFINITION}:{revision}", revision=revision, **facts)


def describing(**more: Any) -> Any:
    """DescribeTaskDefinition, by ARN or by family:revision."""

    def describe(taskDefinition: str) -> dict[str, Any]:
        return defined(int(taskDefinition.rpartition(":")[2]), **more)

    return describe


def registered(*revisions: int) -> dict[str, Any]:
    """What ListTaskDefinitions says; moto takes a family for a prefix."""
    return {"taskDefinitionArns": [f"{DEFINITION}-shell:99", *(f"{DEFINITION}:{one}" for one in revisions)]}


def planned(
    history: list[Past], *, now: int = 2, to: str | None = None, deployer: scene.Deployer | None = None, **answers: Any
) -> Back:
    usual = {"describe_task_definition": describing(), "list_objects_v2": {}, "list_task_definitions": registered(now)}
    usual |= {"describe_images": {"imageDetails": [{}]}}
    guard = Played(**{**usual, **answers})
    running = scene.service(task_sets=(scene.task_set(task_definition=f"{DEFINITION}:{now}"),))
    return rollback.planned(guard, scene.where(), deployer or scene.Deployer(past=history), running, to)


@pytest.mark.parametrize(
    ("revisions", "now", "target"),
    [
        ((2, 1), 2, 1),
        ((5, 4, 3), 5, 4),
        ((3, 5, 4, 3), 3, None),  # after a rollback from 5 to 3 nothing older is known
        ((3, 5, 4, 3, 2), 3, 2),
        ((7, 2), 9, 7),  # what runs was not deployed by CodeDeploy, or its deployment is forgotten
    ],
)
def test_release_before(revisions: tuple[int, ...], now: int, target: int | None) -> None:
    if target is None:
        with pytest.raises(GreenroomError) as refused:
            planned(past(*revisions), now=now)
        assert (refused.value.code, refused.value.sentence) == (
            1,
            f"no release before {NAME}:{now} is known to have succeeded.",
        )
        return
    assert planned(past(*revisions), now=now).task_definition == f"{DEFINITION}:{target}"


def test_another_family_is_no_release_before() -> None:
    with pytest.raises(GreenroomError):
        planned(past(1, family="other"))


def test_named_one_becomes_an_arn() -> None:
    """CodeDeploy takes no family:revision in an appspec."""
    back = planned(past(4, 3, 2), now=4, to=f"{NAME}:2")
    assert back.task_definition == f"{DEFINITION}:2"
    assert back.schema == Schema(None, f"Whether {NAME}:2 can live on this schema is not known: no rehearsal tried it.")


def test_named_one_that_is_the_release_before_is_judged_as_that() -> None:
    assert planned(past(2, 1), to=f"{NAME}:1").schema.sentence == UNKNOWN


def documents(status: str, tried: Release | None = scene.TRIED) -> dict[str, Any]:
    """A bucket with one, whose old-release drill ended so."""
    drill = Drill(name="old-release", status=status, reason="why", release=tried)  # type: ignore[arg-type]
    body = scene.rehearsal(lambda made: setattr(made, "drills", [drill])).to_json().encode()
    key = f"rehearsals/{scene.DIGEST}/{scene.PLAN}/rehearsal.json"
    contents = {"Contents": [{"Key": key, "LastModified": NOW}]}
    return {"list_objects_v2": contents, "get_object": lambda **_given: {"Body": body}}


@pytest.mark.parametrize(("status", "allows"), [("passed", True), ("failed", False), ("not run", None)])
def test_the_drill_of_what_is_left_decides(status: str, allows: bool | None) -> None:
    assert planned(past(2, 1), **documents(status)).schema.allows is allows


COMMIT, ELSE = "9f8e7d6c5b4a" + "3" * 28, "sha256:" + "e5" * 32
DIFFERS = f"Whether {NAME}:1 can live on this schema is not known: a rehearsal tried {{}}, and {NAME}:1 is {{}}."
THIS = scene.DIGEST[:19]


@pytest.mark.parametrize(
    ("tried", "tags", "sentence"),
    [
        (Release(name="x", digest=scene.DIGEST), [], None),
        (Release(name="v1", commit=COMMIT), ["v1", COMMIT[:12]], None),
        (Release(name="x", digest=ELSE, commit=COMMIT), [COMMIT[:12]], None),  # built again from the same commit
        (None, [], DIFFERS.format("a release that its document does not name", THIS)),
        (Release(name="x", digest=ELSE), [], DIFFERS.format(ELSE[:19], THIS)),
        (Release(name="x"), [], DIFFERS.format("x (neither digest nor commit is known)", THIS)),
        (
            Release(name="v1", commit=COMMIT),
            ["abcdefabcdef"],
            DIFFERS.format("v1 (commit 9f8e7d6c5b4a)", f"{THIS}, tagged abcdefabcdef"),
        ),
        # says a tag that can move, not a commit
        (Release(name="x", commit="v1"), ["v1"], DIFFERS.format("x (commit v1)", f"{THIS}, tagged v1")),
        # changes that no commit has
        (
            Release(name="v1", commit=COMMIT),
            [f"{COMMIT[:12]}-dirty"],
            DIFFERS.format("v1 (commit 9f8e7d6c5b4a)", f"{THIS}, tagged {COMMIT[:12]}-dirty"),
        ),
    ],
)
def test_only_the_release_that_the_drill_tried_is_allowed(
    tried: Release | None, tags: list[str], sentence: str | None
) -> None:
    """The drill has the newest tag of git, or what it was told: that need not be what one goes back to."""
    found = planned(past(2, 1), describe_images={"imageDetails": [{"imageTags": tags}]}, **documents("passed", tried))
    passed = f"The schema allows it: a rehearsal tried {NAME}:1 on it: why"
    assert found.schema == (Schema(None, sentence) if sentence else Schema(True, passed))


def test_an_older_one_that_the_drill_tried_is_allowed_too() -> None:
    assert planned(past(4, 3, 2), now=4, to=f"{NAME}:2", **documents("passed")).schema.allows is True


def test_a_failure_of_another_release_is_told_as_that() -> None:
    other = Release(name="x", digest=ELSE)
    back = planned(past(2, 1), **documents("failed", other))
    assert back.schema == Schema(False, "the schema does not allow it: an older release failed on it: why")


def test_tags_that_ecr_does_not_tell_match_nothing() -> None:
    tried = Release(name="v1", commit=COMMIT)
    back = planned(past(2, 1), describe_images=scene.DENIED, **documents("passed", tried))
    assert back.schema.sentence == DIFFERS.format("v1 (commit 9f8e7d6c5b4a)", THIS)


@pytest.mark.parametrize(
    ("now", "history", "allows"),
    [
        (1, [], True),  # the traffic has not moved yet
        (2, past(1), True),  # all of it has, and blue waits for its end
        (2, [], None),
    ],
)
def test_what_stays_is_compared_where_a_deployment_is_broken_off(
    now: int, history: list[Past], allows: bool | None
) -> None:
    release = Progress("", "in progress", task_definition=f"{DEFINITION}:2")
    deployer = scene.Deployer(running="d-7", moments=[release], past=history)
    running = scene.service(task_sets=(scene.task_set(task_definition=f"{DEFINITION}:{now}"),))
    guard = Played(describe_task_definition=describing(), **documents("passed"))
    assert rollback.planned(guard, scene.where(), deployer, running, None).schema.allows is allows


def test_what_is_newer_than_what_runs_may_have_migrated() -> None:
    """A release that failed after its migration, or one that was rolled back: the schema is not the drill's."""
    back = planned(past(2, 1), list_task_definitions=registered(3, 2, 1), **documents("passed"))
    assert back.schema == Schema(
        None,
        f"Whether {NAME}:1 can live on this schema is not known: {NAME}:3 was registered after what runs, "
        "and may have migrated.",
    )


@pytest.mark.parametrize("to", [f"{NAME}:2", f"{NAME}:3", None])
def test_a_drill_that_failed_is_a_no_for_everything_older(to: str | None) -> None:
    answers = {"list_task_definitions": registered(5, 4), **documents("failed")}
    assert planned(past(4, 3, 2), now=4, to=to, **answers).schema.allows is False


CLIENT = error(
    "refused", "ClientException", "AWS refuses DescribeTaskDefinition (ClientException): Unable to describe."
)


@pytest.mark.parametrize(
    ("to", "answers", "said"),
    [
        (f"{NAME}:99", {"describe_task_definition": CLIENT}, f"ECS has no task definition {NAME}:99."),
        (f"{NAME}:2", {}, f"{NAME}:2 is what runs."),
        (
            f"{NAME}:1",
            {"describe_task_definition": describing(status="INACTIVE")},
            f"{NAME}:1 is deregistered, and runs no more.",
        ),
        (
            f"{NAME}:1",
            {"describe_task_definition": describing(containerDefinitions=[{"name": "web"}])},
            f"{NAME}:1 has no app:8000, where the load balancer leads.",
        ),
    ],
)
def test_named_one_that_cannot_run(to: str, answers: dict[str, Any], said: str) -> None:
    with pytest.raises(GreenroomError) as refused:
        planned(past(2, 1), to=to, **answers)
    assert (refused.value.code, refused.value.sentence) == (2, said)


def test_image_that_ecr_has_removed_cannot_be_gone_back_to() -> None:
    with pytest.raises(GreenroomError) as refused:
        planned(past(2, 1), describe_images=error("not found", "ImageNotFoundException"))
    assert (refused.value.code, refused.value.sentence) == (
        1,
        f"ECR has the image of {NAME}:1 no more: ledger@{scene.DIGEST[:19]}.",
    )
    with pytest.raises(GreenroomError) as asked_in_vain:
        planned(past(2, 1), describe_images=scene.THROTTLED)
    assert asked_in_vain.value is scene.THROTTLED


def test_image_that_may_not_be_looked_at_or_is_elsewhere_is_believed() -> None:
    assert planned(past(2, 1), describe_images=scene.DENIED).task_definition == f"{DEFINITION}:1"
    elsewhere = describing(containerDefinitions=[{**_container(), "image": f"public.example.com/x@{scene.DIGEST}"}])
    not_asked = AssertionError("of another registry")
    back = planned(past(2, 1), describe_task_definition=elsewhere, describe_images=not_asked)
    assert back.task_definition == f"{DEFINITION}:1"


def _container() -> dict[str, Any]:
    (container,) = scene.described()["taskDefinition"]["containerDefinitions"]
    return dict(container)


def test_named_one_while_another_is_under_way_is_refused() -> None:
    release = Progress("", "in progress", task_definition=f"{DEFINITION}:2")
    deployer = scene.Deployer(running="d-7", moments=[release])
    with pytest.raises(GreenroomError) as refused:
        rollback.planned(Played(), scene.where(), deployer, scene.service(), f"{NAME}:1")
    assert refused.value.sentence == "deployment d-7 is under way, and can only be broken off."


@pytest.mark.parametrize("to", ["", " "])
def test_named_one_that_is_empty_is_not_the_one_before(to: str) -> None:
    """A variable that a script has not set."""
    with pytest.raises(GreenroomError) as refused:
        planned(past(2, 1), to=to)
    assert (refused.value.code, refused.value.sentence) == (2, "--to names nothing.")


def test_one_that_takes_the_traffic_back_is_not_broken_off() -> None:
    """Somebody in a hurry, after CodeDeploy has begun by itself: else what failed would keep the traffic."""
    going_back = Progress("", "in progress", takes_back=True, task_definition=f"{DEFINITION}:1")
    deployer = scene.Deployer(running="d-8", moments=[going_back])
    with pytest.raises(GreenroomError) as refused:
        rollback.planned(Played(), scene.where(), deployer, scene.service(), None)
    assert (refused.value.code, refused.value.sentence, refused.value.hint) == (
        1,
        f"deployment d-8 already takes the traffic back to {NAME}:1.",
        "Watch it: ./inv status --environment staging",
    )


@pytest.mark.parametrize("to", [None, f"{NAME}:1"])
def test_one_that_an_earlier_rollback_began_is_not_broken_off(to: str | None) -> None:
    """Typed twice, or by two people: else the second leaves the traffic with the release that the first takes back."""
    first = scene.Deployer(moments=[Progress("", "succeeded")])
    guard = Played(get_caller_identity={"Arn": "arn:aws:iam::1:user/x"}, put_object={})
    rollback.carry_out(guard, scene.where(), first, scene.files(), planned(past(2, 1)), [].append)
    ((back_to, _, description),) = first.started
    going_back = Progress("", "in progress", description=description, task_definition=back_to)
    deployer = scene.Deployer(running="d-8", moments=[going_back])
    with pytest.raises(GreenroomError) as refused:
        rollback.planned(Played(), scene.where(), deployer, scene.service(), to)
    assert (refused.value.code, refused.value.sentence, refused.value.hint) == (
        2,
        f"deployment d-8 is a rollback to {NAME}:1, and under way already.",
        "Watch it: ./inv status --environment staging",
    )


def test_what_will_be_done_is_shown() -> None:
    back = planned(past(2, 1))
    assert back.shown == f"  deploy {NAME}:1 again, in place of {NAME}:2\n  {UNKNOWN}\n  No migration is taken back."


def test_alarms_of_the_release_that_is_left_do_not_stop_the_way_back() -> None:
    """They went off because of it: CodeDeploy would stop the deployment that goes back."""
    made = scene.Deployer(past=past(2, 1))
    made.wired = replace(made.wired, alarms=("errors", "slow"))
    back = planned(made.past, deployer=made)
    assert back.alarms == ("errors", "slow")
    assert back.shown.splitlines()[1] == "  No alarm stops it: errors, slow"
