"""AWS as moto plays it, on loopback, with what moto lacks: slow states, refusals, and a record of what was asked.

What moto does not know was looked up in botocore's service model instead, and botocore checks every call's parameters
against that model before it sends them: an unknown parameter, a wrong type or a missing one fails the test.
- moto takes any RestoreType; `Cloud.calls` shows that ours is copy-on-write, which the model documents.
- moto makes instances and snapshots `available` at once: `Cloud.say` has it tell another state.
- moto's endpoints are names that lead nowhere: `Cloud.answer_at` has it tell where a real server is.
- moto deletes at once, also what is still being made: `Cloud.refuse` has it answer as RDS does then.
- moto knows no IAM here and no quotas: `Cloud.refuse` answers with the error codes of the model (`error_shapes`).
- moto's registry takes no layers: `Cloud.registry_at` has ECR name a real one, to which moto's password leads.
- moto reads no Condition in a bucket's policy, and denies to all what is denied without TLS: see below.
- moto lacks the states of a deployment: `Cloud.play` lets a small fake answer, and hand on what moto can do.
- moto's pages are full but for the last: `Cloud.answer` has SSM give an empty one first.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from urllib.request import Request, urlopen

import pytest

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "pl4nted-aws-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
_STATUS = re.compile(r"(<(?:DBInstanceStatus|Status)>)available(<)")
_ENDPOINT = re.compile(r"(<(?:Endpoint|Address)>)[^<]+\.rds\.amazonaws\.com(<)")
_CBOR = re.compile(r"/service/\w+/operation/(\w+)")  # CloudWatch's protocol
_REGISTRY = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com")
_ERROR = (
    '<ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><Error><Type>Sender</Type>'
    "<Code>{code}</Code><Message>{message}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
# Of an action: its parameters, and how moto itself would answer (JSON only); text is an answer of the query protocol.
Player = Callable[[dict[str, Any], Callable[[], dict[str, Any]]], dict[str, Any] | str]


class Refused(Exception):
    """What a player raises: AWS's error code, and its words."""

    def __init__(self, code: str, message: str = "no") -> None:
        super().__init__(code)
        self.code, self.message = code, message


@dataclass
class Call:
    """One request, of the query protocol (RDS, STS), of the JSON protocol (SSM), of CBOR (CloudWatch: without
    its parameters), or of S3: then by its method."""

    action: str
    parameters: dict[str, Any]
    authorization: str = ""

    @property
    def tags(self) -> dict[str, str]:
        """Of what it creates."""
        names = {
            k.split(".")[-2]: v for k, v in self.parameters.items() if k.startswith("Tags.") and k.endswith(".Key")
        }
        values = {
            k.split(".")[-2]: v for k, v in self.parameters.items() if k.startswith("Tags.") and k.endswith(".Value")
        }
        return {names[number]: values[number] for number in names}


@dataclass
class Cloud:
    """The account 123456789012. `url` is for AWS_ENDPOINT_URL."""

    application: Application
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    _refusals: dict[str, list[tuple[str, str, int]]] = field(default_factory=dict)
    _states: dict[str, str] = field(default_factory=dict)
    _answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _players: dict[str, Player] = field(default_factory=dict)
    _host: str | None = None
    _registry: str | None = None

    def play(self, action: str, player: Player) -> None:
        """Let a function answer an action from now on."""
        self._players[action] = player

    def answer(self, action: str, *answers: dict[str, Any]) -> None:
        """Answer the next calls of an action of the JSON protocol with these, in turn, before moto does again."""
        self._answers[action] = list(answers)

    def refuse(self, action: str, code: str, message: str = "no", *, times: int = 1000, status: int = 400) -> None:
        """Answer the next `times` calls of an action with an error."""
        self._refusals[action] = [(code, message, status)] * times

    def say(self, action: str, status: str | None) -> None:
        """Answer a describing action with this status instead of `available`; None: as it is."""
        self._states.pop(action, None)
        if status:
            self._states[action] = status

    def answer_at(self, host: str) -> None:
        """Every endpoint is there from now on, at the port that was asked for."""
        self._host = host

    def registry_at(self, host: str) -> None:
        """The registry of every account and region is there from now on: moto takes no layers."""
        self._registry = host

    def called(self, action: str) -> list[Call]:
        return [call for call in self.calls if call.action == action]

    def reset(self) -> None:
        self.calls.clear(), self._refusals.clear(), self._states.clear(), self._answers.clear(), self.asked.clear()
        self._players.clear()
        self._host = self._registry = None
        with urlopen(Request(f"{self.url}/moto-api/reset", method="POST")) as answer:
            answer.read()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
        parameters = json.loads(body) if target else dict(parse_qsl(body.decode(errors="replace")))
        action = target.rpartition(".")[2] or parameters.pop("Action", "")
        if not action:
            path = str(environ.get("PATH_INFO", ""))
            if named := _CBOR.fullmatch(path):
                self.calls.append(Call(named[1], {}))
            elif not path.startswith("/moto-api"):
                self.calls.append(Call(str(environ.get("REQUEST_METHOD", "")), {"path": path}))
            return self.application(environ, start)
        self.calls.append(Call(action, parameters, str(environ.get("HTTP_AUTHORIZATION", ""))))
        self.asked.set()
        if refused := self._refusals.get(action):
            code, message, status = refused.pop()
            return _sent(start, f"{status} No", _json_error(code, message) if target else _xml_error(code, message))
        if answers := self._answers.get(action):
            return _sent(start, "200 OK", json.dumps(answers.pop(0)))
        if player := self._players.get(action):
            return self._played(environ, start, player, parameters)
        return self._answered(environ, start, self._states.get(action))

    def _played(
        self, environ: dict[str, Any], start: Callable[..., Any], player: Player, parameters: dict[str, Any]
    ) -> Iterable[bytes]:
        def moto() -> dict[str, Any]:
            answer: dict[str, Any] = json.loads(b"".join(self.application(environ, lambda *_words: None)))
            return answer

        try:
            said = player(parameters, moto)
            text = said if isinstance(said, str) else json.dumps(said, default=lambda at: at.timestamp())
            return _sent(start, "200 OK", text)
        except Refused as refused:
            return _sent(start, "400 No", _json_error(refused.code, refused.message))

    def _answered(self, environ: dict[str, Any], start: Callable[..., Any], state: str | None) -> Iterable[bytes]:
        if state is None and self._host is None and self._registry is None:
            return self.application(environ, start)
        said: list[Any] = []
        text = b"".join(self.application(environ, lambda *words: said.extend(words))).decode()
        text = _STATUS.sub(rf"\g<1>{state}\g<2>", text) if state else text
        text = _REGISTRY.sub(self._registry, text) if self._registry else text
        answer = (_ENDPOINT.sub(rf"\g<1>{self._host}\g<2>", text) if self._host else text).encode()
        headers = [(name, value) for name, value in said[1] if name.lower() != "content-length"]
        start(said[0], [*headers, ("Content-Length", str(len(answer)))])
        return [answer]


def _xml_error(code: str, message: str) -> str:
    return _ERROR.format(code=code, message=message)


def _json_error(code: str, message: str) -> str:
    return json.dumps({"__type": code, "message": message})


def _sent(start: Callable[..., Any], status: str, text: str) -> Iterable[bytes]:
    kind = "text/xml" if text.startswith("<") else "application/x-amz-json-1.1"
    start(status, [("Content-Type", kind), ("Content-Length", str(len(text.encode())))])
    return [text.encode()]


@contextmanager
def running() -> Iterator[Cloud]:
    """A server on a port of its own, in this process: moto takes two seconds to import."""
    import logging

    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Prompt(WSGIRequestHandler):
        """Headers and body leave in one piece: else the body waits 40 ms for the acknowledgement of its headers."""

        wbufsize = 1 << 20

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    _policies_with_conditions()
    cloud = Cloud(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, cloud, threaded=True, request_handler=Prompt)
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _policies_with_conditions() -> None:
    """Statements that hold without TLS alone count for nobody here: the server speaks http, and AWS https."""
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    asked = FakeBucket.get_permission

    def get_permission(bucket: FakeBucket, action: str, resource: str) -> Any:
        policy = json.loads(bucket.policy or "{}")
        conditions = [statement.get("Condition") for statement in policy.get("Statement", [])]
        only_without_tls = conditions and all(c == {"Bool": {"aws:SecureTransport": "false"}} for c in conditions)
        return PermissionResult.NEUTRAL if only_without_tls else asked(bucket, action, resource)

    if asked.__module__ != __name__:
        FakeBucket.get_permission = get_permission  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def moto() -> Iterator[Cloud]:
    """One for the session of this worker."""
    with running() as cloud:
        yield cloud


@pytest.fixture
def cloud(moto: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """An empty account, and an environment that leads to it and to nowhere else."""
    moto.reset()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": moto.url}.items():
        monkeypatch.setenv(name, value)
    return moto
