"""Why nobody is connected, in one sentence and never with the password."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from greenroom.postgres.address import Address
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import CannotConnect, connect
from greenroom.secret import Secret


def refused(address: Address) -> str:
    with pytest.raises(CannotConnect) as caught:
        connect(address)
    return str(caught.value)


def test_wrong_password(server: Server) -> None:
    address = replace(server.address, password=Secret("pl4nted"))
    assert refused(address) == (
        f"{address.server} refuses {address.user}: the password is wrong.\n"
        "  Set it where the target says (password_variable, password_parameter), else PGPASSWORD or ~/.pgpass."
    )


def test_password_with_a_line_break_is_told_by_its_shape(server: Server) -> None:
    assert server.address.password
    address = replace(server.address, password=Secret(f"{server.address.password.reveal()}\n"))
    assert refused(address).startswith(
        f"{address.server} refuses {address.user}: the password is wrong (it begins or ends with a blank, or has a "
        "line break).\n  Set it where the target says "
    )


def test_no_such_database(server: Server) -> None:
    assert refused(server.address.at("nix")) == (
        f"there is no database nix on {server.address.server}.\n  `psql -l` lists the databases of a server."
    )


def test_unreachable_server() -> None:
    assert refused(Address("127.0.0.1", 1, "x", "me", Secret("pl4nted"))) == (
        "no PostgreSQL server can be reached at 127.0.0.1:1 (5 s): Connection refused.\n"
        "  Check host and port, and that the server runs and listens there; is a VPN or an SSH tunnel missing?"
    )


def test_role_that_may_not_log_in(server: Server) -> None:
    with connect(server.address) as admin:
        admin.execute("CREATE ROLE locked_out PASSWORD 'x'")
        try:
            assert refused(server.address.as_role("locked_out", Secret("x"))).startswith(
                f"{server.address.server} does not let locked_out in from here."
            )
        finally:
            admin.execute("DROP ROLE locked_out")


def test_no_connection_left(server: Server) -> None:
    with connect(server.address) as admin:
        admin.execute("CREATE ROLE crowd LOGIN PASSWORD 'x' CONNECTION LIMIT 1")
        crowd = server.address.as_role("crowd", Secret("x"))
        try:
            with contextlib.closing(connect(crowd)):
                assert refused(crowd) == (
                    f"{server.address.server} has no connection left for crowd.\n"
                    "  Wait until others have disconnected, or raise max_connections, or the role's CONNECTION LIMIT."
                )
        finally:
            admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'crowd'")
            admin.execute("DROP ROLE crowd")


def test_password_from_pgpassword_and_from_pgpass(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    password = server.address.password
    assert password
    bare = replace(server.address, password=None)
    monkeypatch.setenv("PGPASSWORD", password.reveal())
    connect(bare).close()
    monkeypatch.delenv("PGPASSWORD")
    (file := tmp_path / "pgpass").write_text(f"{bare.host}:{bare.port}:*:{bare.user}:{password.reveal()}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    connect(bare).close()


def test_read_only_cannot_write(server: Server) -> None:
    with connect(server.address, read_only=True) as connection, pytest.raises(Exception, match="read-only transaction"):
        connection.execute("CREATE TABLE t (id int)")
