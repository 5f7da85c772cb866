"""What Docker's engine says, as sentences; the engine itself is met in tests/integration/test_containers.py."""

from __future__ import annotations

from typing import Any

import pytest
from docker.errors import DockerException
from requests.exceptions import ConnectionError as RequestsConnectionError
from urllib3.exceptions import ProtocolError

from greenroom import docker
from greenroom.console import Silent
from greenroom.errors import GreenroomError


class Told(Silent):
    def __init__(self) -> None:
        self.details: list[str] = []

    def detail(self, text: str) -> None:
        self.details.append(text)


def test_pull_tells_how_much_has_come_of_all_layers_that_are_known() -> None:
    lines: list[dict[str, Any]] = [
        {"status": "Pulling from library/postgres", "id": "17"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 1_000_000, "total": 4_000_000}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 2_000_000, "total": 6_000_000}},
        {"status": "Pull complete", "id": "a", "progressDetail": {}},
    ]
    told = Told()

    docker.follow(iter(lines), told)

    assert told.details == ["1 of 4 MB", "3 of 10 MB"]


def test_pull_that_fails_in_its_stream_fails() -> None:
    with pytest.raises(docker.EngineSaysNo, match="no space left on device"):
        docker.follow(iter([{"error": "write: no space left on device"}]), Silent())


def test_engine_that_refuses_this_user_says_what_to_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    refused = RequestsConnectionError(ProtocolError("Connection aborted.", PermissionError(13, "Permission denied")))

    def from_env() -> None:
        raise DockerException(f"Error while fetching server API version: {refused}") from refused

    monkeypatch.setattr("docker.from_env", from_env)

    with pytest.raises(GreenroomError) as told, docker.engine():
        raise AssertionError

    assert told.value.sentence == "this user may not speak to Docker's engine (its local socket)."
    assert told.value.hint == "Join the group `docker` and log in again; or restore with --server embedded."
