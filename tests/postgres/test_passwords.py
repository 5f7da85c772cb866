"""Where a target's password comes from: the place that it names, PGPASSWORD, ~/.pgpass under the server's real name."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from greenroom.config import PostgresTarget
from greenroom.errors import GreenroomError
from greenroom.postgres.address import KEPT_ALIVE, Address
from greenroom.postgres.passwords import from_file, password_of, resolved, through
from greenroom.secret import Secret

WANTED = ("db.internal", "5432", "shop", "reader")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of libpq's, and a home without files."""
    for name in ("PGPASSWORD", "PGPASSFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def target(**more: object) -> PostgresTarget:
    return PostgresTarget.model_validate({"host": "db.internal", "name": "shop", "user": "reader", **more})


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_bytes(text.encode())
    path.chmod(mode)
    return path


def found(path: Path, *wanted: str) -> str | None:
    secret = from_file(path, wanted or WANTED)  # type: ignore[arg-type]
    return secret.reveal() if secret else None


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("db.internal:5432:shop:reader:pl4nted\n", "pl4nted"),
        ("*:*:*:*:pl4nted", "pl4nted"),
        ("db.internal:*:*:reader:pl4nted\r\n", "pl4nted"),
        ("other:5432:shop:reader:no\n*:*:shop:*:first\n*:*:*:*:second\n", "first"),
        ("# *:*:*:*:no\n", None),
        ("db.internal:5433:shop:reader:no\n", None),
        ("db.intern*:5432:shop:reader:no\n", None),
        ("db.internal:5432:shop:reader\n", None),
        ("db.internal:5432:shop:reader:\n*:*:*:*:no\n", None),
        (r"*:*:*:*:a\:b\\c\d", r"a:b\cd"),
        ("*:*:*:*:before:after", "before"),
        ("*:*:*:*:ends with a backslash\\", "ends with a backslash\\"),
        ("", None),
    ],
)
def test_from_file_reads_as_libpq_does(tmp_path: Path, text: str, password: str | None) -> None:
    assert found(written(tmp_path / "pass", text)) == password


def test_from_file_names_with_colons(tmp_path: Path) -> None:
    file = written(tmp_path / "pass", r"\:\:1:5432:sh\\op:*:pl4nted")
    assert found(file, "::1", "5432", "sh\\op", "reader") == "pl4nted"


def test_from_file_socket_is_localhost(tmp_path: Path) -> None:
    assert found(written(tmp_path / "pass", "localhost:*:*:*:pl4nted"), "/run/postgresql", *WANTED[1:]) == "pl4nted"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_from_file_that_others_may_read_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int
) -> None:
    file = written(tmp_path / "pass", "*:*:*:*:pl4nted", mode)
    assert found(file) is None
    assert capsys.readouterr().err == f"warning: {file} is passed over: others may read it (chmod 0600).\n"


def test_from_file_that_is_a_directory_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(tmp_path) is None
    assert capsys.readouterr().err == f"warning: {tmp_path} is passed over: it is no plain file.\n"


def test_from_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(tmp_path / "none") is None
    assert capsys.readouterr().err == ""


def test_password_of_its_variable_goes_before_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_PASSWORD", "named")
    monkeypatch.setenv("PGPASSWORD", "general")
    wanted = target(password_variable="STAGING_PASSWORD")
    assert password_of(wanted, host="db.internal", port=5432) == Secret("named")


def test_password_of_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "general")
    with pytest.raises(GreenroomError) as caught:
        password_of(target(password_variable="STAGING_PASSWORD"), host="db.internal", port=5432)
    assert str(caught.value) == (
        "the password of reader for shop is in the environment variable STAGING_PASSWORD, and that is not set.\n"
        "  Set STAGING_PASSWORD, or write another password_variable (or password_parameter) into the target's table."
    )


def test_password_of_pgpassword_goes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written(tmp_path / ".pgpass", "*:*:*:*:filed")
    assert password_of(target(), host="db.internal", port=5432) == Secret("filed")
    monkeypatch.setenv("PGPASSWORD", "general")
    assert password_of(target(), host="db.internal", port=5432) == Secret("general")


def test_password_of_another_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGPASSFILE", str(written(tmp_path / "elsewhere", "db.internal:5432:shop:reader:filed")))
    assert password_of(target(), host="db.internal", port=5432) == Secret("filed")
    assert password_of(target(), host="clone.internal", port=5432) is None


def test_resolved_and_through_a_port_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "pl4nted")
    real = resolved(target(sslmode="verify-full", port=6543))
    assert real == Address("db.internal", 6543, "shop", "reader", Secret("pl4nted"), {"sslmode": "verify-full"})
    near = through(real, 40000)
    assert conninfo_to_dict(near.conninfo) == {
        "host": "db.internal",
        "hostaddr": "127.0.0.1",
        "port": "40000",
        "dbname": "shop",
        "user": "reader",
        "sslmode": "verify-full",
        **KEPT_ALIVE,
    }
    assert (str(near), near.server) == ("postgresql://reader@db.internal:6543/shop", "db.internal:6543")
    assert near.at("other").server == "db.internal:6543"
    assert near.environment["PGHOSTADDR"] == "127.0.0.1"
