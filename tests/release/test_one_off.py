"""A one-off task to its end, whatever AWS does meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from greenroom.errors import GreenroomError, Terminated
from greenroom.interrupts import raise_when_terminated
from greenroom.release import one_off
from greenroom.release.one_off import Ended, Log, StillRunning, Wanted
from tests.release import scene
from tests.release.scene import BROKEN, DENIED, NOT_FOUND, THROTTLED, Played, events, tasks

ID = scene.TASK.rpartition("/")[2]
STARTED = {"tasks": [{"taskArn": scene.TASK}]}
NOTICE = (
    f"One-off task {ID} goes on without being watched.\n"
    f"  See it: ./inv ecs-logs --environment staging --since 1h --task {ID} --follow\n"
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_off, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(one_off, "LAG_SECONDS", 0.05)


def played(**answers: Any) -> Played:
    usual: dict[str, Any] = {
        "run_task": STARTED,
        "describe_task_definition": scene.described(),
        "describe_tasks": [tasks("PENDING"), tasks("RUNNING"), tasks("STOPPED", 0)],
        "get_log_events": events(token="f/1"),
    }
    return Played(**{**usual, **answers})


def run(guard: Played, *, minutes: float = 1, last: Callable[[str], bool] = lambda _: False) -> tuple[Ended, list[str]]:
    said: list[str] = []
    wanted = Wanted(f"{scene.DEFINITION}:2", "app", ["python"], scene.service(), last=last)
    return one_off.run(guard, scene.where(), wanted, said.append, minutes=minutes), said


def test_log_is_said_as_it_comes_and_each_line_once() -> None:
    pages = [events("a", token="f/1"), events("b", token="f/2"), events(token="f/2"), events("c", token="f/3")]
    ended, said = run(played(get_log_events=[*pages, events(token="f/3")]))
    assert said == [f"one-off task {ID}", "a", "b", "c"]
    assert (ended.exit_code, ended.log) == (0, ["a", "b", "c"])


@pytest.mark.parametrize("error", [THROTTLED, BROKEN])
def test_a_bad_moment_of_aws_ends_no_watching(error: Exception) -> None:
    ended, said = run(
        played(
            describe_tasks=[error, tasks("RUNNING"), error, error, tasks("STOPPED", 0)],
            get_log_events=[error, events("a", token="f/1"), error, events("b", token="f/2"), events(token="f/2")],
            describe_task_definition=[error, scene.described()],
        )
    )
    assert (ended.exit_code, said[1:]) == (0, ["a", "b"])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Terminated(), scene.EXPIRED])
def test_who_stops_watching_stops_nothing_and_is_told(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    guard = played(describe_tasks=[tasks("RUNNING"), error])
    with pytest.raises(type(error)):
        run(guard)
    assert capsys.readouterr().err == NOTICE
    assert guard.writes == ["run_task"], "no StopTask"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_is_started_waits_until_its_id_is_known(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(**_given: Any) -> dict[str, Any]:
        signal.raise_signal(number)
        return STARTED

    before = signal.getsignal(signal.SIGTERM)
    raise_when_terminated()
    try:
        with pytest.raises((KeyboardInterrupt, Terminated)):
            run(played(run_task=start))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == NOTICE


def test_a_task_that_ecs_does_not_know_yet_is_waited_for() -> None:
    assert run(played(describe_tasks=[{"tasks": []}, {"tasks": []}, tasks("STOPPED", 0)]))[0].exit_code == 0


def test_a_task_that_ecs_knows_no_more_is_an_error() -> None:
    with pytest.raises(GreenroomError) as refused:
        run(played(describe_tasks=[tasks("RUNNING"), {"tasks": []}]))
    assert refused.value.sentence == f"ECS knows no task {ID} any more."


def test_a_log_that_may_not_be_read_costs_the_log_alone() -> None:
    ended, said = run(played(get_log_events=DENIED))
    assert (ended.exit_code, said[1:]) == (0, [f"its log is not shown: {DENIED.sentence}"])


def test_last_lines_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudWatch has them some seconds after the task has stopped."""
    monkeypatch.setattr(one_off, "LAG_SECONDS", 30.0)
    late = [NOT_FOUND, NOT_FOUND, NOT_FOUND, events(token="f/0"), events(token="f/0"), events("the end", token="f/1")]
    guard = played(get_log_events=[*late, events(token="f/1")])
    ended, said = run(guard, last=lambda line: line == "the end")
    assert (ended.log, said[-1]) == (["the end"], "the end")


def test_lines_that_never_come_are_not_waited_for_for_ever() -> None:
    assert run(played(get_log_events=NOT_FOUND), last=lambda line: line == "the end")[0].log == []


def test_one_that_takes_too_long_goes_on_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    guard = played(describe_tasks=tasks("RUNNING"), get_log_events=[events("a", token="f/1"), events(token="f/1")])
    with pytest.raises(StillRunning) as refused:
        run(guard, minutes=0.0001)
    assert refused.value.code == 2
    assert refused.value.sentence == f"the one-off task {ID} is RUNNING after 0.0001 min; its last words: a"
    assert refused.value.hint == f"It goes on: ./inv ecs-logs --environment staging --since 1h --task {ID}"
    assert capsys.readouterr().err == ""


def test_a_task_that_cannot_be_placed_is_told() -> None:
    with pytest.raises(GreenroomError) as refused:
        run(played(run_task={"tasks": [], "failures": [{"reason": "RESOURCE:ENI"}]}))
    assert refused.value.sentence == "ECS does not start the one-off task: RESOURCE:ENI."


def test_a_call_that_botocore_repeats_starts_one_task() -> None:
    from tests.aws_models import operation_model

    assert operation_model("ecs", "RunTask").idempotent_members == ["clientToken"], "botocore fills it in"


def test_all_pages_of_a_log_are_read() -> None:
    """A page can be empty, and its token another: there is more."""
    pages = [events("a", token="1"), events(token="2"), events("b", token="3"), events(token="3")]
    guard, log = Played(get_log_events=pages), Log("/ecs/x", "app/app/1")
    assert (one_off.read(guard, log), log.token) == (["a", "b"], "3")
    assert [arguments.get("nextToken") for _, arguments in guard.calls] == [None, "1", "2", "3"]


def test_read_pages_are_kept_when_the_next_one_is_throttled() -> None:
    guard, log = Played(get_log_events=[events("a", token="1"), THROTTLED]), Log("/ecs/x", "app/app/1")
    assert (one_off.read(guard, log), log.token) == (["a"], "1")


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({}, "no reason was given"),
        ({"stoppedReason": "Essential container in task exited."}, "Essential container in task exited"),
        (
            {"stoppedReason": "x", "containers": [{"name": "app", "exitCode": 137, "reason": "OutOfMemoryError: k"}]},
            "x; app ended with 137: OutOfMemoryError: k",
        ),
        ({"containers": [{"name": "app", "reason": "CannotPull"}, {"name": "b", "exitCode": 0}]}, "app: CannotPull"),
    ],
)
def test_stopped_because(task: dict[str, Any], said: str) -> None:
    assert one_off.stopped_because(task) == said


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("CannotPullContainerError: x", "The subnets need a way to ECR (NAT or endpoints), the execution role leave"),
        ("ResourceInitializationError: x", "The subnets need a way to CloudWatch Logs and SSM; see the execution"),
        ("OutOfMemoryError: x", "Give the task more memory: memory in the task definition."),
        ("something", "Its log: ./inv ecs-logs --environment staging --since 1h --task 1"),
    ],
)
def test_remedies(reason: str, remedy: str) -> None:
    assert Ended("1", 1, reason).remedy(scene.where()).startswith(remedy)
