"""Passwords where they really come from: SSM, and ~/.pgpass as libpq itself reads it, also through another port."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from greenroom.aws import AwsError
from greenroom.config import PostgresTarget
from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.passwords import from_file, password_of, resolved, through
from greenroom.postgres.server import CannotConnect, connect
from greenroom.secret import Secret
from tests.integration.moto_server import Cloud, cloud, moto

__all__ = ["cloud", "moto"]
PLANTED = r"pl4nted:with\odd"
WRITTEN = PLANTED.replace("\\", "\\\\").replace(":", "\\:")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of libpq's, and a home without files."""
    for name in ("PGPASSWORD", "PGPASSFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def reader(server18: Server) -> Iterator[Address]:
    """A role with a password, at its server's address on loopback; the address does not hold it."""
    role = f"reader{secrets.token_hex(3)}"
    with connect(server18.address) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PLANTED}'".encode())
        yield server18.address.as_role(role, None)
        admin.execute(f"DROP ROLE {role}".encode())


def target(address: Address, **more: object) -> PostgresTarget:
    """The same server, by the name and port that its own network knows it by."""
    given = {"host": "db.internal", "port": 6543, "name": address.database, "user": address.user, **more}
    return PostgresTarget.model_validate(given)


def passfile(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_password_of_an_ssm_parameter(cloud: Cloud) -> None:
    import boto3

    with contextlib.closing(boto3.client("ssm")) as ssm:
        ssm.put_parameter(Name="/shop/staging/password", Value="pl4nted", Type="SecureString")
    wanted = target(Address("h", 1, "shop", "reader"), password_parameter="/shop/staging/password", region="us-east-1")
    assert password_of(wanted, host="db.internal", port=6543) == Secret("pl4nted")
    assert resolved(wanted).password == Secret("pl4nted")


def test_password_of_an_ssm_parameter_that_is_not_there(cloud: Cloud) -> None:
    wanted = target(Address("h", 1, "shop", "reader"), password_parameter="/shop/none", region="us-east-1")
    with pytest.raises(AwsError) as caught:
        password_of(wanted, host="db.internal", port=6543)
    assert caught.value.sentence == "SSM has no parameter /shop/none in us-east-1."


@pytest.mark.parametrize(
    ("text", "logs_in"),
    [
        ("{host}:{port}:{name}:{user}:{password}", True),
        ("*:*:*:*:{password}\r\n", True),
        ("*:*:*:*:{password}:more", True),
        ("# *:*:*:*:{password}\n*:*:*:{user}:{password}\n", True),
        ("#*:*:*:*:{password}\n", False),
        ("*:*:*:*:wrong\n*:*:*:*:{password}\n", False),
        ("other:*:*:*:wrong\n*:*:{name}:*:{password}\n", True),
        ("127.*:*:*:*:{password}\n", False),
        (" *:*:*:*:{password}\n", False),
        ("\n\n*:*:*:*:{password}", True),
        ("*:*:*:{password}\n", False),
        ("*:*:*:*:\n*:*:*:*:{password}\n", False),
    ],
)
def test_from_file_finds_what_libpq_finds(reader: Address, tmp_path: Path, text: str, logs_in: bool) -> None:
    named = {"host": reader.host, "port": reader.port, "name": reader.database, "user": reader.user}
    file = passfile(tmp_path / "pass", text.format(**named, password=WRITTEN))
    ours = from_file(file, (reader.host, str(reader.port), reader.database, reader.user))
    try:
        psycopg.connect(**reader.parameters, passfile=str(file)).close()  # type: ignore[arg-type]
        libpq = True
    except psycopg.OperationalError:
        libpq = False
    assert (ours == Secret(PLANTED), libpq) == (logs_in, logs_in)


def test_through_another_port_with_the_password_of_the_real_name(reader: Address, tmp_path: Path) -> None:
    passfile(tmp_path / ".pgpass", f"db.internal:6543:{reader.database}:{reader.user}:{WRITTEN}\n")
    near = through(resolved(target(reader, sslmode="prefer")), reader.port)
    with connect(near) as connection:
        assert connection.info.host == "db.internal"
        assert connection.info.hostaddr == "127.0.0.1"
    assert str(near) == f"postgresql://{reader.user}@db.internal:6543/{reader.database}"


def test_through_a_port_where_nobody_listens_names_the_real_server(reader: Address) -> None:
    with pytest.raises(CannotConnect) as caught:
        connect(through(resolved(target(reader)), 1))
    assert caught.value.sentence == (
        "no PostgreSQL server can be reached at db.internal:6543 (5 s): Connection refused."
    )


def test_through_without_a_password_says_who_asks_for_one(reader: Address) -> None:
    with pytest.raises(CannotConnect) as caught:
        connect(through(resolved(target(reader)), reader.port))
    assert caught.value.sentence == f"db.internal:6543 asks for a password for {reader.user}, and none was given."
