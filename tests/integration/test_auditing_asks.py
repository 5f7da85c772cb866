"""pip-audit itself, against a service of known weaknesses on loopback."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from greenroom.auditing import audit
from greenroom.tasks.checks import SHIPPED

ROOT = Path(__file__).parents[2]


@contextmanager
def weaknesses(**known: list[str]) -> Iterator[tuple[str, ...]]:
    """A service in the form of OSV's that knows these, of a package each; the options that lead pip-audit to it."""

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = asked["package"]["name"]
            vulns = [
                {
                    "id": weakness,
                    "summary": "x",
                    "published": "2026-01-01T00:00:00Z",
                    "affected": [
                        {
                            "package": {"name": name, "ecosystem": "PyPI"},
                            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999"}]}],
                        }
                    ],
                }
                for weakness in known.get(name, [])
            ]
            body = json.dumps({"vulns": vulns} if vulns else {}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        url = f"http://127.0.0.1:{server.server_port}/v1/query"
        try:
            yield ("--vulnerability-service", "osv", "--osv-url", url)
        finally:
            server.shutdown()
            serving.join()


@pytest.mark.full
def test_pip_audit_itself_that_finds_nothing_answers_for_every_package_that_ships() -> None:
    with weaknesses() as service:
        found = audit(ROOT, SHIPPED, service)
    assert (found.held, found.weaknesses) == (True, ())
    pins = re.findall(r"^[a-z].*==.*$", (ROOT / SHIPPED).read_text(), re.MULTILINE)
    assert found.asked == len([pin for pin in pins if "win32" not in pin]) > 10
    assert found.told.startswith("ok ")


@pytest.mark.full
def test_pip_audit_itself_that_finds_a_weakness_fails() -> None:
    with weaknesses(django=["PYSEC-2026-1"]) as service:
        found = audit(ROOT, SHIPPED, service)
    (weakness,) = found.weaknesses
    assert weakness.startswith("django 5.") and weakness.endswith(": PYSEC-2026-1, mended in 999")
    assert found.told.startswith("FAIL  requirements/app.txt: django ")


@pytest.mark.full
def test_pip_audit_that_breaks_off_is_not_held() -> None:
    """Nobody listens there: it ends with an error, and says nothing that could be read."""
    with weaknesses() as service:
        pass
    found = audit(ROOT, SHIPPED, service)
    assert not found.held and len(found.unanswered) == found.asked > 10
    assert found.told.startswith("NOT HELD  pip-audit requirements/app.txt: nothing could be learnt of ")
