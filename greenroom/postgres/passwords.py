"""Where a target's password comes from, and where its database is: reached directly, or through a port of this machine.

libpq looks into ~/.pgpass by itself, but under the host and port that it is given: for a forwarded port those are the
wrong ones. So it is read here, by libpq's own rules (its documentation, "The Password File").
"""

from __future__ import annotations

import re
import stat
import sys
from dataclasses import replace
from pathlib import Path

from greenroom import shell
from greenroom.config import PostgresTarget, Target
from greenroom.errors import GreenroomError
from greenroom.postgres import variables
from greenroom.postgres.address import Address
from greenroom.secret import Secret

LOOPBACK = "127.0.0.1"
_SOCKETS = ("/tmp", "/run/postgresql", "/var/run/postgresql")  # noqa: S108 - libpq's defaults: `localhost` to .pgpass
_LINE = re.compile(r"((?:\\.|[^:\\])*):" * 4 + r"((?:\\.|[^:])*)(?::.*)?")


def resolved(target: PostgresTarget) -> Address:
    """The target as its own network knows it, with the password where there is one. Raises GreenroomError."""
    if target.sslrootcert and target.sslrootcert != "system" and not Path(target.sslrootcert).is_file():
        raise GreenroomError(
            f"there is no file {target.sslrootcert}, which sslrootcert of {target.name} names.",
            "Put the certificate of the server's authority there, or correct sslrootcert in pyproject.toml.",
        )
    password = password_of(target, host=target.host, port=target.port)
    options = {**variables.securing(), **target.tls}
    return Address(target.host, target.port, target.name, target.user, password, options)


def through(address: Address, port: int) -> Address:
    """The same database through a port of this machine. The host stays: its certificate is made out to that name.

    So does what is printed.
    """
    options = {**address.options, "hostaddr": LOOPBACK}
    return replace(address, port=port, options=options, shown=address.server)


def password_of(target: Target, *, host: str, port: int) -> Secret | None:
    """From `password_variable` or `password_parameter`, else PGPASSWORD, else ~/.pgpass under the real host and port.

    None: the server may not want one. Raises GreenroomError when the place that the target names has none.
    """
    if target.password_variable:
        return _from_variable(target.password_variable, target)
    if target.password_parameter:
        from greenroom import aws

        return aws.parameter(target.password_parameter, region=target.region, profile=target.profile)
    if given := shell.variable("PGPASSWORD"):
        return Secret(given)
    return from_file(_file(), (host, str(port), target.name, target.user))


def from_file(file: Path, wanted: tuple[str, str, str, str]) -> Secret | None:
    """The password of the first line for host, port, database and user; None where there is no such line, or file.

    A file that others may read is passed over with a warning, as libpq does it.
    """
    try:
        mode = file.stat().st_mode
        if why := _unfit(mode):
            print(f"warning: {file} is passed over: {why}.", file=sys.stderr)
            return None
        lines = file.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError:
        return None
    host = "localhost" if wanted[0] in _SOCKETS else wanted[0]
    found = (_password_in(line.rstrip("\r"), (host, *wanted[1:])) for line in lines if not line.startswith("#"))
    first = next((password for password in found if password is not None), "")
    return Secret(first) if first else None


def _from_variable(name: str, target: Target) -> Secret:
    if given := shell.variable(name):
        return Secret(given)
    raise GreenroomError(
        f"the password of {target.user} for {target.name} is in the environment variable {name}, and that is not set.",
        f"Set {name}, or write another password_variable (or password_parameter) into the target's table.",
    )


def _file() -> Path:
    given = shell.variable("PGPASSFILE")
    return Path(given) if given else Path.home() / ".pgpass"


def _unfit(mode: int) -> str | None:
    if not stat.S_ISREG(mode):
        return "it is no plain file"
    return "others may read it (chmod 0600)" if mode & (stat.S_IRWXG | stat.S_IRWXO) else None


def _password_in(line: str, names: tuple[str, ...]) -> str | None:
    """The line's password, when it is for these names."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    *patterns, password = match.groups()
    fits = all(pattern == "*" or _plain(pattern) == name for pattern, name in zip(patterns, names, strict=True))
    return _plain(password) if fits else None


def _plain(text: str) -> str:
    """Without the backslashes that mask a colon or another backslash."""
    return re.sub(r"\\(.)", r"\1", text)
