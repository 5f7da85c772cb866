"""libpq's environment variables: which are put aside, and who gets them nevertheless."""

from __future__ import annotations

import os

import pytest
from psycopg import pq

from greenroom.postgres import variables
from greenroom.postgres.address import Address

SECURED = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "system", "PGCHANNELBINDING": "require"}


@pytest.fixture(autouse=True)
def nothing_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variables, "_aside", {})
    for name in variables.PUT_ASIDE:
        monkeypatch.delenv(name, raising=False)


def test_every_variable_of_libpq_is_known() -> None:
    known = {found.envvar.decode(): found.keyword.decode() for found in pq.Conninfo.get_defaults() if found.envvar}
    assert set(known) <= {*variables.HARMLESS, *variables.PUT_ASIDE}
    assert {name: known[name] for name in variables.SECURING} == variables.SECURING


def test_what_is_put_aside_is_gone_for_all_that_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {**SECURED, "PGHOSTADDR": "127.0.0.9", "PGSERVICE": "nowhere", "PGOPTIONS": "-c x=y"}
    for name, value in {**given, "PGPASSWORD": "pl4nted"}.items():
        monkeypatch.setenv(name, value)
    variables.put_aside()
    assert not [name for name in given if name in os.environ]
    assert os.environ["PGPASSWORD"] == "pl4nted"
    assert variables.for_others() == given
    assert variables.for_others(own_server=True) == {}


def test_server_of_a_url_is_secured_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SECURED, "PGOPTIONS": "-c x=y"}.items():
        monkeypatch.setenv(name, value)
    variables.put_aside()
    secured = {"sslmode": "verify-full", "sslrootcert": "system", "channel_binding": "require"}
    assert Address.parse("postgresql://u@h/d").options == secured
    told = Address.parse("postgresql://u@h/d").environment
    assert {name: told[name] for name in SECURED} == SECURED
    assert Address.parse("postgresql://u@h/d?sslmode=require").options == {**secured, "sslmode": "require"}


def test_tls_that_is_demanded_in_the_old_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGREQUIRESSL", "1")
    variables.put_aside()
    assert variables.securing() == {"sslmode": "require"}
