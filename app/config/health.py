"""`/livez`: this process answers. `/readyz`: the database answers too, and has every migration of this code.

Both are answered by the first middleware: a load balancer asks by IP address, which ALLOWED_HOSTS would refuse, and
over plain http, which would be redirected. A reason never carries a driver's message: it may name hosts and roles.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponseBase, JsonResponse

Responder = Callable[[HttpRequest], HttpResponseBase]


class HealthMiddleware:
    def __init__(self, get_response: Responder) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        check = CHECKS.get(request.path_info)
        return check() if check else self.get_response(request)


def livez() -> JsonResponse:
    return answer({"status": "alive"})


def readyz() -> JsonResponse:
    try:
        pending = pending_migrations()
    except Error as error:
        connection.close()
        return not_ready(f"the database does not answer ({type(error).__name__})")
    if pending:
        return not_ready(f"{len(pending)} migration(s) pending: {', '.join(pending)}")
    return answer({"status": "ready"})


def pending_migrations() -> list[str]:
    """`app.name` of every migration of this code that the database does not have. Raises django.db.Error."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def not_ready(reason: str) -> JsonResponse:
    return answer({"status": "not ready", "reason": reason}, status=503)


def answer(content: dict[str, str], status: int = 200) -> JsonResponse:
    return JsonResponse(content, status=status, headers={"Cache-Control": "no-store"})


CHECKS = {"/livez": livez, "/readyz": readyz}
