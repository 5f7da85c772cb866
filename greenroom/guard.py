"""The guarded client: the one way by which a task changes something in an environment's AWS account.

Reading calls go through. A writing call leaves only after `agree`: a person at the terminal, or `--yes`, has seen what
will be done. A dry run never agrees, so nothing leaves, whatever the code above tries.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from greenroom import aws
from greenroom.config import Environment


class Guard:
    """Calls into one environment's account. As a context manager it closes its clients."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self._agreed = False
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for made in self._clients.values():
            made.close()
        self._clients.clear()

    @property
    def region(self) -> str:
        """Of every call."""
        return self.environment.region

    def agree(self) -> None:
        """Let writing calls leave from now on. Raises GreenroomError where the credentials are another account's."""
        aws.check_account(self.environment)
        self._agreed = True

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """One call, `operation` as boto3 names it. Raises AwsError; PermissionError for a write before `agree`."""
        with aws.refusals():
            answer: dict[str, Any] = getattr(self.client(service), operation)(**arguments)
            return answer

    def body(self, service: str, operation: str, **arguments: Any) -> bytes:
        """What a call streams (S3's GetObject), to its end. Raises AwsError, also where it breaks off."""
        with aws.refusals():
            content: bytes = getattr(self.client(service), operation)(**arguments)["Body"].read()
            return content

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> list[Any]:
        """The whole of a list that comes in pages. Raises AwsError."""
        with aws.refusals():
            pages = self.client(service).get_paginator(operation).paginate(**arguments)
            return [one for page in pages for one in page.get(key) or ()]

    def client(self, service: str) -> Any:
        """The client itself, guarded too, for what `call` cannot say."""
        if service not in self._clients:
            made = aws.client(service, region=self.environment.region, profile=self.environment.profile)
            made.meta.events.register_first("before-call", self._hold)
            self._clients[service] = made
        return self._clients[service]

    def _hold(self, model: Any, **_others: Any) -> None:
        if not self._agreed and not aws.reads(model.name):
            raise PermissionError(f"{model.name} changes something, and nobody has agreed to it")
