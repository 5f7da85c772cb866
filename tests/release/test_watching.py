"""A deployment that is watched, whatever AWS does meanwhile; and the log that is followed."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from greenroom.console import Silent
from greenroom.errors import GreenroomError, Terminated
from greenroom.release import health, logs, one_off, records, standing, watching
from greenroom.release.deployer import Phase, Progress
from tests.release import scene
from tests.release.scene import DENIED, EXPIRED, GROUP, NAME, THROTTLED, Played

NOTICE = (
    "Deployment d-1 goes on without being watched.\n"
    "  See it: ./inv status --environment staging; take it back: ./inv rollback --environment staging\n"
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(logs, "POLL_SECONDS", 0.0)


def watch(*moments: Progress | BaseException, minutes: float = 1, **answers: Any) -> Progress:
    where = scene.where(release={"deployment_minutes": minutes})
    return watching.watch(Played(**answers), where, scene.Deployer(moments=list(moments)), "d-1", Silent())


def test_a_bad_moment_ends_no_watching() -> None:
    assert watch(Progress("", "waiting"), THROTTLED, scene.BROKEN, Progress("", "succeeded")).state == "succeeded"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Terminated(), EXPIRED])
def test_who_stops_watching_is_told(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(type(error)):
        watch(Progress("", "in progress"), error)
    assert capsys.readouterr().err == NOTICE


def test_a_signal_while_it_is_started_waits_until_its_id_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    def start() -> str:
        signal.raise_signal(signal.SIGINT)
        return "d-1"

    with pytest.raises(KeyboardInterrupt):
        watching.begin(Played(), scene.where(), scene.Deployer(), Silent(), start, lambda _: None)
    assert capsys.readouterr().err == NOTICE


def test_a_record_that_cannot_be_written_leaves_nobody_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    def begun(_deployment: str) -> None:
        raise DENIED

    with pytest.raises(GreenroomError):
        watching.begin(Played(), scene.where(), scene.Deployer(), Silent(), lambda: "d-1", begun)
    assert capsys.readouterr().err == NOTICE


def test_what_has_begun_goes_on_though_it_cannot_be_written_down() -> None:
    said: list[str] = []
    record = records.begun(Played(get_caller_identity={"Arn": "arn:x"}), "release", None, None)
    records.complete(Played(put_object=DENIED), scene.where(), record, said.append)
    assert said == [f"how it goes on is not on record: {DENIED.sentence}"]


def test_too_long_is_told_by_what_was_seen_last() -> None:
    with pytest.raises(GreenroomError) as late:
        watch(Progress("", "in progress", (Phase("Install", "in progress"),)), THROTTLED, minutes=0.0001)
    assert late.value.sentence.startswith("deployment d-1 is not over after 0.0001 min: in progress, Install.")


def test_a_failure_is_told_though_nothing_else_can_be() -> None:
    now = Progress("d-1", "failed", (Phase("Install", "failed"),), scene.sides(0), "no capacity (X).", "d-2", "", "a:1")
    told = watching.failure(Played(list_tasks=DENIED), scene.where(), now)
    assert told.splitlines() == [
        "deployment d-1 failed in Install: no capacity (X).",
        "  ✗ Install",
        "  traffic: blue 100 %, green 0 %",
        "  blue 2/2 running",
        "  green 2/2 running",
        "  whether tasks stopped is not told (AccessDeniedException)",
        "  taken back by deployment d-2",
    ]


def test_health_counts_states_with_their_reasons() -> None:
    def target(state: str, reason: str | None = None, words: str = "") -> dict[str, Any]:
        return {"TargetHealth": {"State": state, **({"Reason": reason, "Description": words} if reason else {})}}

    bad = target("unhealthy", "Target.Timeout", "Request timed out.")
    guard = Played(describe_target_health={"TargetHealthDescriptions": [target("healthy"), bad, bad]})
    assert health.of_group(guard, f"{GROUP}/x/0") == "1 healthy, 2 unhealthy (Target.Timeout: Request timed out)"


def test_status_tells_what_it_can_though_the_load_balancer_does_not_answer() -> None:
    told = list(standing.told(Played(describe_target_health=DENIED), scene.where(), scene.service(), scene.Deployer()))
    assert told == [
        f"staging: account 123456789012, eu-central-1, service {NAME}/{NAME}",
        f"  active, runs {NAME}:1",
        f"  primary {NAME}:1: 2/2 running; targets: targets not told (AccessDeniedException)",
        "  nothing was deployed yet",
    ]


# -- ecs-logs


def event(number: int, at: int, task: str = "1234567890") -> dict[str, Any]:
    return {"eventId": str(number), "timestamp": at, "logStreamName": f"app/app/{task}", "message": f"line {number}\n"}


def followed(answers: list[Any], count: int, **more: Any) -> tuple[list[str], Played]:
    guard = Played(describe_task_definition=scene.described(), filter_log_events=answers)
    given = {"since": "10m", "task": None, "follow": True, **more}
    found = logs.lines(guard, scene.where(), scene.service(), **given)
    return [next(found) for _ in range(count)], guard


def test_lines_are_shown_once_and_late_ones_too() -> None:
    """Of two containers, one's lines can come after the other's that were written later."""
    looks = [[event(1, 100_000)], [event(1, 100_000), event(2, 160_000)], [event(3, 130_000), event(2, 160_000)]]
    told, guard = followed([{"events": one} for one in looks], 3)
    assert [line[9:] for line in told] == ["12345678 line 1", "12345678 line 2", "12345678 line 3"]
    starts = [arguments["startTime"] for operation, arguments in guard.calls if operation == "filter_log_events"]
    assert starts[0] == starts[1], "never before what was asked for"


def test_a_bad_moment_ends_no_following() -> None:
    told, _ = followed([{"events": [event(1, 1)]}, THROTTLED, scene.BROKEN, {"events": [event(2, 2)]}], 2)
    assert [line[-6:] for line in told] == ["line 1", "line 2"]


def test_a_line_steers_no_terminal() -> None:
    """What an app writes down can be what a visitor has sent it."""
    evil = event(1, 1) | {"message": "GET /\x1b]0;owned\x07\x1b[2J"}
    told, _ = followed([{"events": [evil]}], 1)
    assert told == ["00:00:00 12345678 GET / ]0;owned  [2J"]
    page = {"events": [{"timestamp": 1, "message": "a\x1b[2Jb\n"}], "nextForwardToken": "1"}
    assert one_off.read(Played(get_log_events=page), one_off.Log("g", "s")) == ["a [2Jb"] * 2


def test_lines_of_one_task_alone() -> None:
    for task in ("mine", "arn:aws:ecs:eu-central-1:123456789012:task/ledger-staging/mine"):
        told, _ = followed([{"events": [event(1, 1, "other"), event(2, 2, "mine")]}], 1, task=task)
        assert told == ["00:00:00 mine line 2"]


def test_age_before_all_time_is_the_beginning() -> None:
    _, guard = followed([{"events": [event(1, 1)]}], 1, since="999999d")
    assert dict(guard.calls)["filter_log_events"]["startTime"] == 0


@pytest.mark.parametrize(("age", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400)])
def test_age(age: str, seconds: int) -> None:
    assert logs.seconds(age) == seconds


@pytest.mark.parametrize("age", ["", "10", "m", "-1m", "1w", "1.5h"])
def test_what_is_no_age(age: str) -> None:
    with pytest.raises(GreenroomError) as refused:
        logs.seconds(age)
    assert refused.value.sentence == f"--since {age} is no age."


def test_log_is_of_the_container_that_requests_go_to() -> None:
    """Though a sidecar stands before it."""

    def container(name: str) -> dict[str, Any]:
        return {"name": name, "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": f"/{name}"}}}

    described = scene.described(containerDefinitions=[container("proxy"), container("app")])
    guard = Played(describe_task_definition=described, filter_log_events={"events": [event(1, 1)]})
    next(logs.lines(guard, scene.where(), scene.service(), since="10m", task=None, follow=False))
    assert dict(guard.calls)["filter_log_events"]["logGroupName"] == "/app"


def test_no_log_group_and_no_log_are_told() -> None:
    with pytest.raises(GreenroomError) as missing:
        followed([scene.NOT_FOUND], 1)
    assert missing.value.sentence == f"there is no log group /ecs/{NAME}."
    quiet = Played(describe_task_definition=scene.described(containerDefinitions=[{"name": "app"}]))
    with pytest.raises(GreenroomError) as none:
        next(logs.lines(quiet, scene.where(), scene.service(), since="10m", task=None, follow=False))
    assert none.value.sentence == "what runs writes no log to CloudWatch."
