"""Whose statements are cancelled on somebody's server: those of a session of ours, and of nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from greenroom.postgres import holding
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.holding import Session
from greenroom.postgres.server import connect
from tests.integration.shop import Shop, shop


@pytest.fixture
def source(server18: Server) -> Iterator[Shop]:
    with shop(server18) as made:
        yield made


@contextmanager
def working(address: Address, ended: list[str]) -> Iterator[Session]:
    """A session in the middle of a statement; `ended` tells afterwards how that ended."""
    connection = connect(address)
    session = Session.of(connection)

    def work() -> None:
        try:
            connection.execute("SELECT pg_sleep(1.5)")
            ended.append("finished")
        except psycopg.errors.QueryCanceled:
            ended.append("cancelled")

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.3)
    assert session
    yield session
    thread.join()
    connection.close()


def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "GONE_SECONDS", 0.5)


def test_interrupted_session_is_cancelled(source: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty(monkeypatch)
    ended: list[str] = []
    with working(source.address, ended) as session, connect(source.address) as connection:
        holding._wait_until_gone(connection, session)
    assert ended == ["cancelled"]


def test_later_session_of_the_same_number_is_left_alone(source: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a restart of the server, also when it is another one of ours."""
    hasty(monkeypatch)
    ended: list[str] = []
    with working(source.address, ended) as session, connect(source.address) as connection:
        holding._wait_until_gone(connection, replace(session, began=session.began - timedelta(seconds=1)))
    assert ended == ["finished"]


@pytest.mark.parametrize("stranger", ["another program", "another role"])
def test_stranger_s_session_is_left_alone(stranger: str, source: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks may be a superuser, who could cancel anybody's."""
    hasty(monkeypatch)
    ended: list[str] = []
    who = source.address if stranger == "another role" else source.admin
    who = replace(who, options={"application_name": "psql"}) if stranger == "another program" else who
    with working(who, ended) as session, connect(source.admin) as connection:
        holding._wait_until_gone(connection, replace(session, name="greenroom"))
    assert ended == ["finished"]
