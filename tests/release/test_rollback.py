"""What there is to go back to, and whether the schema allows it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from greenroom.errors import GreenroomError
from greenroom.rehearsal.document import Drill
from greenroom.release import rollback, schema, watching
from greenroom.release.deployer import Past, Progress
from greenroom.release.rehearsals import Stored
from greenroom.release.rollback import Back
from greenroom.release.schema import Schema
from tests.release import scene
from tests.release.scene import DEFINITION, NAME, NOW, Played, error


def drilled(status: str, reason: str = "v1 reads and writes 8 models", *, age: int = 0) -> Stored:
    drill = Drill(name="old-release", status=status, reason=reason)  # type: ignore[arg-type]
    return scene.stored(lambda made: setattr(made, "drills", [drill]), age=age)


def undrilled() -> Stored:
    return scene.stored(lambda made: setattr(made, "drills", []))


UNKNOWN = "Whether the release before can live on this schema is not known: no rehearsal tried it."
FAILED = "the schema does not allow it: the release before failed on it: v1 cannot read ledger.Release"


@pytest.mark.parametrize(
    ("documents", "answer"),
    [
        ([], Schema(None, UNKNOWN)),
        ([undrilled()], Schema(None, UNKNOWN)),
        ([Stored("", NOW, None, "is not a document that this version of Greenroom reads")], Schema(None, UNKNOWN)),
        (
            [drilled("passed")],
            Schema(
                True, "The schema allows it: a rehearsal tried the release before on it: v1 reads and writes 8 models"
            ),
        ),
        ([drilled("failed", "v1 cannot read ledger.Release")], Schema(False, FAILED)),
        (
            [drilled("not run", "there is no older release")],
            Schema(
                None,
                "Whether the schema allows it is not known: the drill was not run: there is no older release",
            ),
        ),
        (
            [drilled("broken off", "the clone went away")],
            Schema(None, "Whether the schema allows it is not known: the drill was broken off: the clone went away"),
        ),
    ],
)
def test_schema(documents: list[Stored], answer: Schema) -> None:
    assert schema.judged(documents) == answer


def test_one_drill_that_failed_is_enough() -> None:
    """A rehearsal that was held after the release, with nothing pending, takes no failure back."""
    documents = [drilled("passed"), drilled("failed", "v1 cannot read ledger.Release", age=60)]
    assert schema.judged(documents) == Schema(False, FAILED)


def test_a_drill_that_was_not_run_again_takes_no_pass_back() -> None:
    assert schema.judged([drilled("not run"), drilled("passed", age=60)]).allows is True


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


def planned(history: list[Past], *, now: int = 2, to: str | None = None, **answers: Any) -> Back:
    usual = {"describe_task_definition": describing(), "list_objects_v2": {}, "list_task_definitions": registered(now)}
    guard = Played(**{**usual, **answers})
    running = scene.service(task_sets=(scene.task_set(task_definition=f"{DEFINITION}:{now}"),))
    return rollback.planned(guard, scene.where(), scene.Deployer(past=history), running, to)


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
    assert back.schema == Schema(
        None, f"Whether {NAME}:2 can live on this schema is not known: rehearsals try the release before."
    )


def test_named_one_that_is_the_release_before_is_judged_as_that() -> None:
    assert planned(past(2, 1), to=f"{NAME}:1").schema.sentence == UNKNOWN


def documents(status: str) -> dict[str, Any]:
    """A bucket with one, whose old-release drill ended so."""
    drill = Drill(name="old-release", status=status, reason="why")  # type: ignore[arg-type]
    body = scene.rehearsal(lambda made: setattr(made, "drills", [drill])).to_json().encode()
    key = f"rehearsals/{scene.DIGEST}/{scene.PLAN}/rehearsal.json"
    contents = {"Contents": [{"Key": key, "LastModified": NOW}]}
    return {"list_objects_v2": contents, "get_object": lambda **_given: {"Body": body}}


@pytest.mark.parametrize(("status", "allows"), [("passed", True), ("failed", False), ("not run", None)])
def test_the_drill_of_what_is_left_decides(status: str, allows: bool | None) -> None:
    assert planned(past(2, 1), **documents(status)).schema.allows is allows


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


def test_named_one_while_another_is_under_way_is_refused() -> None:
    deployer = scene.Deployer(running="d-7")
    with pytest.raises(GreenroomError) as refused:
        rollback.planned(Played(), scene.where(), deployer, scene.service(), f"{NAME}:1")
    assert refused.value.sentence == "deployment d-7 is under way, and can only be broken off."


def test_what_will_be_done_is_shown() -> None:
    back = planned(past(2, 1))
    assert back.shown == f"  deploy {NAME}:1 again, in place of {NAME}:2\n  {UNKNOWN}\n  No migration is taken back."


# -- breaking off


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(rollback, "TAKEN_BACK_SECONDS", 0.05)


def broken_off(*moments: Progress | BaseException) -> tuple[str, list[str], scene.Deployer]:
    deployer, said = scene.Deployer(moments=list(moments)), list[str]()
    guard = Played(get_caller_identity={"Arn": "arn:aws:iam::1:user/x"}, put_object={}, list_tasks={"taskArns": []})
    back = Back("d-1", None, f"{DEFINITION}:2", None, Schema(None, ""))
    done = rollback.carry_out(guard, scene.where(), deployer, scene.files(), back, said.append)
    return done, said, deployer


def test_broken_off_before_any_traffic_moved() -> None:
    done, said, deployer = broken_off(Progress("", "stopped", sides=scene.sides(0)))
    assert done == "deployment d-1 is broken off; the traffic is where it was."
    assert (deployer.stopped, said) == (["d-1"], ["breaking off d-1"])


def test_the_one_that_takes_it_back_may_begin_some_seconds_later() -> None:
    moved = Progress("", "stopped", sides=scene.sides(100))
    back = Progress("", "stopped", sides=scene.sides(100), rollback="d-2")
    done, said, _ = broken_off(moved, scene.THROTTLED, moved, back, Progress("d-2", "succeeded"))
    assert done == "deployment d-1 is broken off; the traffic is where it was."
    assert said[-1] == "taken back by d-2"


def test_traffic_that_nothing_takes_back_is_no_success() -> None:
    with pytest.raises(GreenroomError) as refused:
        broken_off(Progress("", "stopped", sides=scene.sides(50), reason="Stopped by a person (MANUAL_STOP)."))
    assert refused.value.code == 1
    assert refused.value.sentence.startswith("deployment d-1 stopped: Stopped by a person (MANUAL_STOP).")
    assert "traffic: blue 50 %, green 50 %" in refused.value.sentence


def test_the_one_that_takes_it_back_can_fail() -> None:
    stopped = Progress("", "stopped", sides=scene.sides(50), rollback="d-2")
    with pytest.raises(GreenroomError) as refused:
        broken_off(stopped, Progress("d-2", "failed", reason="no capacity (X)."))
    assert refused.value.sentence.startswith("deployment d-2 failed: no capacity (X).")
