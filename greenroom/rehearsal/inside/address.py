"""The copy as the container sees it: on its own loopback, under the name that its server has outside."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from greenroom.copies.acquiring import Acquired
from greenroom.copies.reach import for_app
from greenroom.errors import GreenroomError
from greenroom.postgres.address import Address
from greenroom.postgres.server import connect
from greenroom.secret import Secret

LOOPBACK = "127.0.0.1"
MOUNTED = "/greenroom"
CERTIFICATE = "rootcert.pem"
FILES = ("service", "servicefile", "passfile", "sslcert", "sslkey", "sslcrl", "sslcrldir")  # of libpq, on this machine


def seen_from_inside(copy: Acquired) -> Address:
    """What the app in the container is told. The name stays, because certificates are made out to it.

    A password that libpq found by itself (PGPASSWORD, ~/.pgpass) is asked for once. Raises GreenroomError where the
    copy cannot be reached without files that stay on this machine.
    """
    address = for_app(copy.address)
    _refuse_files(address)
    options = dict(address.options)
    if certificate_of(address):
        options["sslrootcert"] = f"{MOUNTED}/{CERTIFICATE}"
    host = address.host if is_name(address.host) else LOOPBACK
    return replace(address, host=host, options=options, password=address.password or _found_by_libpq(address))


def certificate_of(address: Address) -> Path | None:
    """The file of the authority that the server's certificate is checked against, where one is named."""
    named = address.options.get("sslrootcert")
    return Path(named) if named and named != "system" else None


def is_name(host: str) -> bool:
    """Neither an IP address nor the directory of a Unix socket."""
    try:
        ip_address(host)
    except ValueError:
        return not host.startswith("/")
    return False


def endpoint(address: Address) -> str:
    """Where the relay on this machine connects."""
    address = for_app(address)
    if address.host.startswith("/"):
        return f"{address.host}/.s.PGSQL.{address.port}"
    return f"{address.host}:{address.port}"


def _refuse_files(address: Address) -> None:
    if named := [name for name in FILES if name in address.options]:
        raise GreenroomError(
            f"the copy is reached by {' and '.join(named)} of this machine, which a container has not.",
            "Name host, user and password in the URL or the target; or rehearse without the image.",
        )


def _found_by_libpq(address: Address) -> Secret | None:
    with connect(address) as connection:
        found = connection.info.password
    return Secret(found) if found else None
