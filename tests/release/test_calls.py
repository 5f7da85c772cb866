"""Every call of AWS that releases make, from the source: it exists, takes these parameters, and reads or writes."""

from __future__ import annotations

import ast
from typing import NamedTuple

import pytest
from botocore.session import get_session

from greenroom import aws
from greenroom.guard import Guard
from tests.aws_models import operation_model
from tests.release import scene

WRITES = {
    "create_deployment",
    "deregister_task_definition",
    "put_object",
    "register_task_definition",
    "run_task",
    "stop_deployment",
    "stop_task",
}


class Made(NamedTuple):
    """A call of the guard: `how` is call, body or pages; `key` of pages only."""

    place: str
    how: str
    service: str
    operation: str
    key: str | None
    parameters: frozenset[str]


def made() -> list[Made]:
    found = []
    for path in sorted((scene.ROOT / "greenroom" / "release").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            words = [word.value for word in node.args if isinstance(word, ast.Constant)]
            if node.func.attr in ("call", "body", "pages") and len(words) >= 2:
                names = frozenset(keyword.arg for keyword in node.keywords if keyword.arg)
                key = str(words[2]) if node.func.attr == "pages" else None
                place = f"{path.name}:{node.lineno}"
                found.append(Made(place, node.func.attr, str(words[0]), str(words[1]), key, names))
    return found


CALLS = made()


def test_they_are_all_found() -> None:
    assert len(CALLS) > 20
    assert {one.how for one in CALLS} == {"call", "body", "pages"}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.operation}@{call.place}")
def test_call_is_one_that_aws_knows(call: Made) -> None:
    model = operation_model(call.service, call.operation)
    assert call.parameters <= set(model.input_shape.members)
    if call.key is not None:
        session = get_session()
        pages = session.get_component("data_loader").load_service_model(call.service, "paginators-1")["pagination"]
        assert call.key in [pages[model.name]["result_key"]] or call.key in pages[model.name]["result_key"]
    assert model.has_streaming_output == (call.how == "body")


def test_nobody_elses_bucket_is_written_to_or_believed() -> None:
    """Its name can be guessed, and taken in another account before there is ours."""
    asked = [call for call in CALLS if call.service == "s3"]
    assert len(asked) == 3  # places in the code: one lists, one gets, one puts
    assert [call.place for call in asked if "ExpectedBucketOwner" not in call.parameters] == []


def test_those_that_write_are_these_and_the_guard_knows_it() -> None:
    writing = {one.operation for one in CALLS if not aws.reads(operation_model(one.service, one.operation).name)}
    assert writing == WRITES


@pytest.mark.parametrize("call", sorted({(one.service, one.operation) for one in CALLS if one.operation in WRITES}))
def test_guard_lets_no_write_leave_before_somebody_agrees(
    call: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sockets are shut in these tests: what the guard let through would fail in another way."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    service, operation = call
    with Guard(scene.environment()) as guard, pytest.raises(PermissionError, match="nobody has agreed to it"):
        guard.call(service, operation, **_least(service, operation))


def _least(service: str, operation: str) -> dict[str, object]:
    """Every required parameter, with some value."""
    shape = operation_model(service, operation).input_shape
    kinds: dict[str, object] = {"string": "x", "list": [], "structure": {}, "boolean": True, "integer": 1}
    return {name: kinds[shape.members[name].type_name] for name in shape.required_members}


@pytest.mark.parametrize(
    "operation",
    ["DeleteObject", "Getaway", "UpdateService", "ModifyListener", "PutParameter", "BatchDeleteImage", "TagResource"],
)
def test_what_is_not_known_to_read_writes(operation: str) -> None:
    assert not aws.reads(operation)
