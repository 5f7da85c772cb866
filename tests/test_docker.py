"""What Docker's engine says, as sentences; the engine itself is met in tests/integration/test_containers.py."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException
from requests.exceptions import ConnectionError as RequestsConnectionError
from urllib3.exceptions import ProtocolError

from greenroom import docker, docker_refusals
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

    docker_refusals.follow(iter(lines), told)

    assert told.details == ["1 of 4 MB", "3 of 10 MB"]


def test_pull_that_fails_in_its_stream_fails() -> None:
    with pytest.raises(docker_refusals.EngineSaysNo, match="no space left on device"):
        docker_refusals.follow(iter([{"error": "write: no space left on device"}]), Silent())


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


@pytest.mark.parametrize(
    "meta", [None, '{"Name": "far", "Endp', "[]", '{"Name": "far"}', '{"Name": "far", "Endpoints": {}}', "\x00"]
)
def test_context_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, meta: str | None
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text('{"currentContext": "far"}')
    if meta is not None:
        place = tmp_path / "contexts/meta" / hashlib.sha256(b"far").hexdigest() / "meta.json"
        place.parent.mkdir(parents=True)
        place.write_text(meta)

    with pytest.raises(GreenroomError) as told, docker.engine():
        raise AssertionError

    assert told.value.sentence == "Docker's context far is not there, or cannot be read."
    assert not isinstance(told.value, docker_refusals.NoEngine)


def test_engine_of_a_context_is_named_by_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONTEXT", "far")
    (tmp_path / "config.json").write_text("{}")
    place = tmp_path / "contexts/meta" / hashlib.sha256(b"far").hexdigest() / "meta.json"
    place.parent.mkdir(parents=True)
    host = {"docker": {"Host": "unix:///nonexistent"}}
    place.write_text(json.dumps({"Name": "far", "Metadata": {}, "Endpoints": host}))

    def from_env() -> None:
        raise DockerException("Error while fetching server API version")

    monkeypatch.setattr("docker.from_env", from_env)

    with pytest.raises(docker_refusals.NoEngine) as told, docker.engine():
        raise AssertionError

    assert told.value.sentence == "no Docker engine answers at unix:///nonexistent (context far): does it run?"


@pytest.mark.parametrize("text", ["[]", '"text"', "5"])
def test_configuration_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(text)

    with pytest.raises(GreenroomError) as told, docker.engine():
        raise AssertionError

    assert told.value.sentence == f"Docker's configuration {tmp_path}/config.json cannot be used (AttributeError)."


@pytest.mark.parametrize(
    ("name", "digest"),
    [("ledger:1", "sha256:aa"), ("here/ledger@sha256:bb", "sha256:bb"), ("here/ledger@sha256:cc", "sha256:aa")],
)
def test_digest_is_the_one_that_an_image_is_named_by(name: str, digest: str) -> None:
    """A registry may know it by several: a list's, and its own; a rehearsal is filed under the one that is released."""
    attributes = {"Id": "sha256:00", "RepoDigests": ["there/ledger@sha256:aa", "here/ledger@sha256:bb"]}

    assert docker._image(name, attributes, "amd64").digest == digest
