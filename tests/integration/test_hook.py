"""The packaged hook, run as Lambda runs it: from its zip, against a site on loopback and CodeDeploy's endpoint."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from greenroom.infra import hook
from tests.integration import images
from tests.integration.images import Database, built, database
from tests.integration.moto_server import CREDENTIALS

__all__ = ["built", "database"]

ROOT = Path(__file__).resolve().parents[2]
EVENT = {"DeploymentId": "d-123", "LifecycleEventHookExecutionId": "an-execution"}
CALL = """
import json, sys
sys.path.insert(0, sys.argv[1])
import after_allow_test_traffic
print(after_allow_test_traffic.handler(json.loads(sys.argv[2]), None))
"""

pytest.importorskip("greenroom.smoke", reason="the functional tests are not there")


@dataclass
class Seen:
    """What CodeDeploy was told, and which pages were asked for."""

    told: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[tuple[str, Seen]]:
    """A site where there is nothing but an answer, and CodeDeploy's endpoint, which is posted to at /."""
    seen = Seen()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.asked.append(self.path)
            self.answer(404, b"nothing here")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("X-Amz-Target", "").endswith(".PutLifecycleEventHookExecutionStatus"):
                seen.told.append(json.loads(body))
                self.answer(200, b"{}")
            else:
                self.answer(404, b"nothing here")

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


def called(place: Path, endpoint: str, url: str | None) -> subprocess.CompletedProcess[str]:
    """By an interpreter that finds our code in the zip and nowhere else."""
    shutil.copytree(ROOT / "ci", place / "ci")
    archive = hook.package(place)
    environment = {**os.environ, **CREDENTIALS, "AWS_ENDPOINT_URL": endpoint, "PYTHONPATH": ""}
    environment |= {"GREENROOM_SMOKE_URL": url} if url else {}
    words = [sys.executable, "-P", "-c", CALL, str(archive), json.dumps(EVENT)]
    return subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True, check=False)


def test_green_that_fails_is_told_as_failed(tmp_path: Path, site: tuple[str, Seen]) -> None:
    url, seen = site
    done = called(tmp_path, url, url)
    assert done.stdout.endswith("Failed\n"), done.stderr
    assert "/livez" in seen.asked
    assert seen.told == [{"deploymentId": "d-123", "lifecycleEventHookExecutionId": "an-execution", "status": "Failed"}]


def test_hook_that_breaks_is_told_as_failed(tmp_path: Path, site: tuple[str, Seen]) -> None:
    url, seen = site
    done = called(tmp_path, url, None)
    assert "KeyError" in done.stderr
    assert [told["status"] for told in seen.told] == ["Failed"]


@pytest.mark.full
@pytest.mark.xdist_group("image")
def test_green_that_passes_is_told_as_succeeded(tmp_path: Path, site: tuple[str, Seen], database: Database) -> None:
    """The app in its image, as a task of green runs it."""
    endpoint, seen = site
    with images.container("--network", database.network, *images.PUBLISHED, DJANGO_DB_HOST="db") as green:
        at = images.url(green).replace("127.0.0.1", "localhost")  # as DJANGO_ALLOWED_HOSTS has it
        assert images.get(f"{at}/livez")[0] == 200
        done = called(tmp_path, endpoint, at)
    assert done.stdout.endswith("Succeeded\n"), done.stdout + done.stderr
    assert [told["status"] for told in seen.told] == ["Succeeded"]
