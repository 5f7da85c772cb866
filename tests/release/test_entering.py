"""`ecs-shell`: whatever happens, what it made is taken away."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom import shell
from greenroom.errors import GreenroomError
from greenroom.release import entering
from tests.release import scene
from tests.release.scene import DENIED, THROTTLED, Played

REGISTERED = {"taskDefinition": {"taskDefinitionArn": f"{scene.DEFINITION}-shell:7"}}
TMP = [{"name": "tmp", "host": {}}]
STOP = "aws ecs stop-task --region eu-central-1 --cluster ledger-staging --task 0123456789abcdef"
DEREGISTER = "aws ecs deregister-task-definition --region eu-central-1 --task-definition ledger-staging-shell:7"


def running(status: str = "RUNNING", agent: str | None = "RUNNING", **facts: Any) -> dict[str, Any]:
    agents = [] if agent is None else [{"name": "ExecuteCommandAgent", "lastStatus": agent, **facts}]
    containers = [{"name": "sidecar"}, {"name": "app", "managedAgents": agents}]
    return {"tasks": [{"taskArn": scene.TASK, "lastStatus": status, "containers": containers}]}


def played(**answers: Any) -> Played:
    usual: dict[str, Any] = {
        "describe_task_definition": scene.described(),
        "register_task_definition": REGISTERED,
        "run_task": {"tasks": [{"taskArn": scene.TASK}]},
        "describe_tasks": running(),
        "stop_task": {},
        "deregister_task_definition": {},
    }
    return Played(**{**usual, **answers})


@pytest.fixture(autouse=True)
def shells(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was run on the terminal; it ends with 5."""
    ran: list[list[str]] = []

    def foreground(argv: list[str]) -> int:
        ran.append(argv)
        return 5

    monkeypatch.setattr(shell, "foreground", foreground)
    monkeypatch.setattr(entering, "POLL_SECONDS", 0.0)
    return ran


def enter(guard: Played) -> int:
    return entering.enter(guard, scene.where(), scene.service(), "/bin/sh")


def test_shell_of_a_throw_away_task(shells: list[list[str]]) -> None:
    guard = played()
    assert enter(guard) == 5
    assert guard.writes == ["register_task_definition", "run_task", "stop_task", "deregister_task_definition"]
    assert shells == [
        [
            *("aws", "ecs", "execute-command", "--region", "eu-central-1", "--cluster", "ledger-staging"),
            *("--task", scene.TASK, "--container", "app", "--interactive", "--command", "/bin/sh"),
        ]
    ]
    run = dict(guard.calls)["run_task"]
    assert run["enableExecuteCommand"] is True
    assert run["overrides"]["containerOverrides"] == [{"name": "app", "command": ["sleep", "3600"]}]


def test_its_definition_is_the_release_s_but_for_the_root_file_system() -> None:
    mounted = [{"sourceVolume": "tmp", "containerPath": "/tmp"}]
    there = scene.described(volumes=TMP, ephemeralStorage={"sizeInGiB": 30}, cpu="512", pidMode="task")
    there["taskDefinition"]["containerDefinitions"][0]["mountPoints"] = mounted
    guard = played(describe_task_definition=there)
    enter(guard)
    made = dict(guard.calls)["register_task_definition"]
    assert made["family"] == "ledger-staging-shell"
    assert (made["volumes"], made["ephemeralStorage"], made["cpu"]) == (TMP, {"sizeInGiB": 30}, "512")
    assert made["pidMode"] == "task"
    (container,) = made["containerDefinitions"]
    assert (container["mountPoints"], container["readonlyRootFilesystem"]) == (mounted, False)
    assert {**container, "readonlyRootFilesystem": True} == there["taskDefinition"]["containerDefinitions"][0]


@pytest.mark.parametrize(
    "answer", [{"tasks": [], "failures": [{"reason": "RESOURCE:ENI"}]}, DENIED, KeyboardInterrupt()]
)
def test_definition_is_taken_away_where_the_task_cannot_start(answer: Any) -> None:
    guard = played(run_task=answer)
    with pytest.raises((GreenroomError, KeyboardInterrupt)):
        enter(guard)
    assert guard.writes == ["register_task_definition", "run_task", "deregister_task_definition"]


def test_nothing_is_taken_away_where_nothing_was_made() -> None:
    guard = played(register_task_definition=DENIED)
    with pytest.raises(GreenroomError):
        enter(guard)
    assert guard.writes == ["register_task_definition"]


def test_definition_is_taken_away_where_the_task_cannot_be_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    guard = played(stop_task=DENIED)
    assert enter(guard) == 5
    assert guard.writes[-2:] == ["stop_task", "deregister_task_definition"]
    assert capsys.readouterr().err == (
        f"the throw-away task runs on, at the latest until 60 min are over: {DENIED.sentence}\n  Remove it: {STOP}\n"
    )


def test_what_stays_is_named_with_the_command_that_removes_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert enter(played(stop_task=THROTTLED, deregister_task_definition=DENIED)) == 5
    told = capsys.readouterr().err
    assert f"  Remove it: {STOP}\n" in told
    assert f"ledger-staging-shell:7 stays registered: {DENIED.sentence}\n  Remove it: {DEREGISTER}\n" in told


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError()])
def test_all_is_taken_away_where_the_shell_breaks_off(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def foreground(_argv: list[str]) -> int:
        raise error

    monkeypatch.setattr(shell, "foreground", foreground)
    guard = played()
    with pytest.raises(type(error)):
        enter(guard)
    assert guard.writes[-2:] == ["stop_task", "deregister_task_definition"]


def test_agent_of_the_container_is_waited_for(shells: list[list[str]]) -> None:
    """A task that runs has none in the first seconds: a shell would be refused."""
    moments = [{"tasks": []}, running("PENDING", None), THROTTLED, running(agent=None), running(agent="PENDING")]
    guard = played(describe_tasks=[*moments, running()])
    assert enter(guard) == 5
    assert guard.asked.count("describe_tasks") == 6


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (
            running(agent="STOPPED", reason="no way to ssmmessages"),
            "the task is RUNNING, and after 300 s exec's agent does not run (no way to ssmmessages).",
        ),
        (
            {"tasks": [{"taskArn": scene.TASK, "lastStatus": "STOPPED", "stoppedReason": "no sleep"}]},
            "the task stopped at once: no sleep.",
        ),
    ],
)
def test_task_without_a_shell_is_told_and_taken_away(moment: Any, said: str) -> None:
    guard = played(describe_tasks=moment)
    with pytest.raises(GreenroomError) as refused:
        enter(guard)
    assert refused.value.sentence == said
    assert guard.writes[-2:] == ["stop_task", "deregister_task_definition"]


def test_agent_that_never_comes_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entering, "START_SECONDS", 0.0)
    with pytest.raises(GreenroomError) as refused:
        enter(played(describe_tasks=running(agent="PENDING")))
    assert refused.value.hint.startswith("The task role needs ssmmessages:CreateControlChannel")


def test_service_that_runs_nothing_has_no_shell() -> None:
    with pytest.raises(GreenroomError) as refused:
        entering.preview(scene.service(task_sets=()), "/bin/sh")
    assert refused.value.sentence == "the service runs nothing to look into."


@pytest.mark.parametrize("program", ["aws", "session-manager-plugin"])
def test_missing_program_is_named(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entering.shutil, "which", lambda name: None if name == program else name)
    with pytest.raises(GreenroomError) as refused:
        entering.refuse_missing()
    assert refused.value.sentence == f"{program} is not on this machine, and ECS exec goes through it."
