"""Where a database is: read from a URL, printed without its password, handed on without it in an argv."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from greenroom.errors import GreenroomError
from greenroom.postgres.address import KEPT_ALIVE, SECRETS, Address
from greenroom.secret import Secret

HINT = "\n  Write it as postgresql://USER@HOST:5432/DATABASE, with the password in PGPASSWORD or ~/.pgpass."


def test_parse_takes_a_url_apart() -> None:
    address = Address.parse("postgresql://us%40er:p%2Fw@db.example:6543/my%20shop?sslmode=require")
    assert (address.host, address.port, address.database, address.user) == ("db.example", 6543, "my shop", "us@er")
    assert address.password == Secret("p/w")
    assert address.options == {"sslmode": "require"}


def test_parse_fills_in_what_is_left_out() -> None:
    address = Address.parse("postgres:///?host=/run/postgresql&dbname=shop")
    assert (address.host, address.port, address.database, address.user) == ("/run/postgresql", 5432, "shop", "postgres")
    assert address.password is None


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://h/db", "a database URL begins with postgresql://, not mysql://"),
        ("shop", "a database URL begins with postgresql://, not nothing://"),
        ("postgresql://h:port/db", "the database URL cannot be read: its host or port is malformed."),
    ],
)
def test_parse_refuses_what_is_no_url(url: str, sentence: str) -> None:
    with pytest.raises(GreenroomError) as caught:
        Address.parse(url)
    assert str(caught.value) == sentence + HINT


@pytest.mark.parametrize(
    "url", ["u:12/kret@h:1/x", "u:s3/kret@h/x", "u:12?kret@h:1/x", "u:12#kret@h:1/x", "u:1/2@3/k@h"]
)
def test_password_that_its_own_characters_cut_off_is_refused_and_not_printed(url: str) -> None:
    with pytest.raises(GreenroomError) as caught:
        Address.parse(f"postgresql://{url}")
    assert str(caught.value) == (
        "the database URL has an @ behind the first /, ? or #: its user or password holds one of these as it is.\n"
        "  Write %2F for a /, %3F for a ? and %23 for a # in it, and %40 for an @ in the database's name."
    )


def test_at_sign_elsewhere_is_no_cut_off_password() -> None:
    address = Address.parse("postgresql://h/a%40b?user=me@example.com&sslmode=require")
    assert (address.database, address.user, address.host) == ("a@b", "me@example.com", "h")


def test_printed_without_password() -> None:
    address = Address.parse("postgresql://me:pl4nted@h/db")
    assert str(address) == "postgresql://me@h:5432/db"
    assert "pl4nted" not in repr(address)


@pytest.mark.parametrize("password", ["pl4nted\n", " pl4nted", "pl4\nnted"])
def test_refused_password_is_told_by_its_shape_alone(password: str) -> None:
    address = Address("h", 1, "shop", "me", Secret(password))
    told = "the password is wrong (it begins or ends with a blank, or has a line break)"
    assert address.refused_password == told
    assert address.as_role("me", Secret("pl4 nted")).refused_password == "the password is wrong"


def test_conninfo_holds_everything_but_the_password() -> None:
    address = Address("h", 1, "it's a \\ shop", "me", Secret("pl4nted"), {"options": "-c role=x\\ y"})
    assert conninfo_to_dict(address.conninfo) == {
        "host": "h",
        "port": "1",
        "dbname": "it's a \\ shop",
        "user": "me",
        "options": "-c role=x\\ y",
        **KEPT_ALIVE,
    }
    assert address.password_environment == {"PGPASSWORD": "pl4nted"}


def test_conninfo_is_what_libpq_reads() -> None:
    address = Address("/tmp/nowhere here", 5432, "a b", "c'd")
    assert psycopg.conninfo.make_conninfo(address.conninfo)


@pytest.mark.parametrize("name", SECRETS)
def test_parse_refuses_secrets_that_would_stand_in_a_command_line(name: str) -> None:
    with pytest.raises(GreenroomError) as caught:
        Address.parse(f"postgresql://u:pw@h/d?sslmode=require&{name}=pl4nted")
    assert caught.value.sentence == (
        f"{name} in a database URL would stand in the command line of pg_dump, for others to read."
    )
    assert "pl4nted" not in str(caught.value)


def test_no_secret_of_libpq_gets_into_a_command_line() -> None:
    """Whatever this libpq says is not to be shown."""
    hidden = {found.keyword.decode() for found in pq.Conninfo.get_defaults() if found.dispchar == b"*"}
    assert {"password", "sslpassword"} <= hidden
    for name in sorted(hidden - {"password"}):
        with pytest.raises(GreenroomError):
            Address.parse(f"postgresql://h/d?{name}=pl4nted")
    for url in ("postgresql://u@h/d?password=pl4nted", "postgresql://u:pl4nted@h/d?password=pl4nted"):
        address = Address.parse(url)
        assert "pl4nted" not in address.conninfo and address.password == Secret("pl4nted")


def test_service_holds_what_a_url_must_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal's next step: libpq takes the secret from there, and all else from the URL."""
    (tmp_path / "services").write_text("[shop]\nsslpassword=pl4nted\nhost=elsewhere\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    address = Address.parse("postgresql://u@127.0.0.1:1/d?service=shop")
    connecting = pq.PGconn.connect_start(address.conninfo.encode())
    taken = {found.keyword: found.val for found in connecting.info}
    connecting.finish()
    assert (taken[b"sslpassword"], taken[b"host"]) == (b"pl4nted", b"127.0.0.1")


@pytest.mark.parametrize(
    "address",
    [
        Address("db.example", 5433, "a/b ü?#%", 'o\'n "me"@x:y/'),
        Address("::1", 5433, "shop", "me"),
        Address("/tmp/Sockets of mine", 5433, "shop", "me"),
    ],
)
def test_printed_address_can_be_typed(address: Address) -> None:
    assert Address.parse(str(address)) == address
    found = conninfo_to_dict(str(address))
    assert (found["host"], found["port"], found["dbname"], found["user"]) == (
        address.host,
        str(address.port),
        address.database,
        address.user,
    ), "libpq reads it alike"
