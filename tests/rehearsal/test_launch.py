"""How a project is told its database: by its own variables, by one URL, or by the agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.config import Config, DatabaseVariables, Project
from greenroom.copies.acquiring import Acquired, CopyRequest
from greenroom.postgres.address import Address
from greenroom.postgres.server import ServerFacts
from greenroom.rehearsal.launch import Launch, launch
from greenroom.rehearsal.request import Request
from greenroom.secret import Secret

HERE = Address("db.example.com", 5433, "my copy", "an owner", Secret("p@ss/w%rd"), {"sslmode": "verify-full"})


def launched(project: Project, address: Address = HERE, *, tls: bool = True) -> Launch:
    copy = Acquired(
        kind="branch",
        method="pipe",
        name=address.database,
        label=address.server,
        address=address,
        admin=address,
        lease_id="lease-1",
        facts=ServerFacts("18.1", 180001, "UTC", tls=tls),
    )
    config = Config(root=Path("/somewhere"), project=project)
    asked = Request(config, project, CopyRequest(config, project), targets=["shop.0002"])
    return launch(asked, copy)


def test_project_without_variables_is_told_by_the_agent() -> None:
    made = launched(Project(settings="shop.settings"))
    assert made.request["database"] == {
        "host": "db.example.com",
        "port": 5433,
        "name": "my copy",
        "user": "an owner",
        "password": "p@ss/w%rd",
        "options": {"sslmode": "verify-full"},
    }
    assert made.environment == {"DJANGO_SETTINGS_MODULE": "shop.settings"}


def test_project_with_variables_is_told_by_them_alone() -> None:
    names = DatabaseVariables(host="DB_HOST", port="DB_PORT", name="DB_NAME", user="DB_USER", password="DB_PASSWORD")
    made = launched(Project(database_variables=names, environment={"DJANGO_DEBUG": "0"}))
    assert made.request["database"] is None
    assert made.environment == {
        "DJANGO_DEBUG": "0",
        "DB_HOST": "db.example.com",
        "DB_PORT": "5433",
        "DB_NAME": "my copy",
        "DB_USER": "an owner",
        "DB_PASSWORD": "p@ss/w%rd",
    }


@pytest.mark.parametrize(("tls", "told"), [(True, {"DB_SSLMODE": "verify-full"}), (False, {"DB_SSLMODE": "prefer"})])
def test_sslmode_is_the_sources_unless_the_server_cannot_serve_it(tls: bool, told: dict[str, str]) -> None:
    made = launched(Project(database_variables=DatabaseVariables(sslmode="DB_SSLMODE")), tls=tls)
    assert (made.environment, made.request["drop_sslmode"]) == (told, not tls)


@pytest.mark.parametrize(
    ("host", "written"),
    [("db.example.com", "db.example.com"), ("::1", "[::1]"), ("/run/postgresql", "%2Frun%2Fpostgresql")],
)
def test_project_with_a_url_is_told_by_one(host: str, written: str) -> None:
    address = Address(
        host, 5433, "my copy", "an owner", Secret("p@ss/w%rd"), {"sslmode": "require", "options": "-c a=b"}
    )
    made = launched(Project(database_url_variable="DATABASE_URL"), address)
    url = f"postgresql://an%20owner:p%40ss%2Fw%25rd@{written}:5433/my%20copy?sslmode=require"
    assert made.environment == {"DATABASE_URL": url}


def test_password_is_not_shown_with_the_launch() -> None:
    assert "p@ss" not in repr(launched(Project()))
