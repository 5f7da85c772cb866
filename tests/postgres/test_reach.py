"""What a program is told that knows host and port only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from greenroom.copies.reach import for_app
from greenroom.postgres import passwords
from greenroom.postgres.address import Address
from greenroom.secret import Secret

REAL = Address("db.internal", 5432, "shop", "app", Secret("pl4nted"))


def test_address_that_is_reached_directly_stays_as_it_is() -> None:
    given = replace(REAL, options={"sslmode": "verify-full"})
    assert for_app(given) is given


def test_app_behind_a_tunnel_is_told_the_tunnel_s_end() -> None:
    """Django's settings have no `hostaddr`: with the name alone it would look for the real host, past the tunnel."""
    told = for_app(passwords.through(REAL, 40123))
    assert (told.host, told.port, told.database, told.user) == ("127.0.0.1", 40123, "shop", "app")
    assert told.password == REAL.password and "hostaddr" not in told.options
    assert str(told) == "postgresql://app@db.internal:5432/shop", "people are told the real one"


@pytest.mark.parametrize(
    ("mode", "told"),
    [("verify-full", "require"), ("verify-ca", "require"), ("require", "require"), ("prefer", "prefer"), (None, None)],
)
def test_tls_stays_where_the_name_of_the_certificate_is_lost(mode: str | None, told: str | None) -> None:
    options = {"sslmode": mode} if mode else {}
    assert for_app(passwords.through(replace(REAL, options=options), 40123)).options.get("sslmode") == told


def test_other_parameters_go_with_it() -> None:
    given = passwords.through(replace(REAL, options={"options": "-c role=owner", "connect_timeout": "3"}), 40123)
    assert for_app(given).options == {"options": "-c role=owner", "connect_timeout": "3"}
