"""AWS as moto plays it, its gaps filled in between: what Terraform's provider talks to in tests."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.infra.gaps import GAPS, XML_GAPS, Ask, Json, Kept, Refused
from tests.integration.moto_server import Application, Cloud, running

JSON, XML = "application/x-amz-json-1.1", "text/xml"


@dataclass
class Filled:
    """moto with its gaps filled, as a WSGI application."""

    moto: Application
    kept: Kept = field(default_factory=Kept)

    def __call__(self, environ: Json, start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        service, _, action = str(environ.get("HTTP_X_AMZ_TARGET", "")).partition(".")
        if gap := GAPS.get((service.partition("_")[0], action)):
            try:
                return _sent(start, "200 OK", JSON, json.dumps(gap(self.kept, json.loads(body), self._ask(environ))))
            except Refused as error:
                return _sent(start, "400 No", JSON, json.dumps({"__type": str(error), "message": "no"}))
        asked = dict(parse_qsl(body.decode(errors="replace"))) if body.startswith(b"Action=") else {}
        if filling := XML_GAPS.get(asked.get("Action", "")):
            status, text = self._moto(environ, body)
            return _sent(start, status, XML, filling(self.kept, asked, text) if status.startswith("200") else text)
        return self.moto(environ, start)

    def _ask(self, environ: Json) -> Ask:
        def ask(asked: Json) -> Json:
            status, text = self._moto(environ, json.dumps(asked).encode())
            answer: Json = json.loads(text or "{}")
            if not status.startswith("200"):
                raise Refused(str(answer.get("__type", "ServerException")))
            return answer

        return ask

    def _moto(self, environ: Json, body: bytes) -> tuple[str, str]:
        said = list[Any]()
        again = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        text = b"".join(self.moto(again, lambda *words: said.extend(words))).decode()
        return str(said[0]), text


def _sent(start: Callable[..., Any], status: str, kind: str, text: str) -> Iterable[bytes]:
    body = text.encode()
    start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


@contextmanager
def filled() -> Iterator[tuple[Cloud, Kept]]:
    """A server on loopback, and what is kept in moto's place."""
    with running() as cloud:
        cloud.reset()  # what other tests of this process have made lies in the same memory
        application = Filled(cloud.application)
        cloud.application = application
        yield cloud, application.kept
