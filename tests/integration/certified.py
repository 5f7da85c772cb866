"""A server of PostgreSQL 15 that talks TLS, with a certificate of its own making."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from greenroom.postgres.binaries import of_major
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.server import connect


@contextmanager
def certified(directory: Path, name: str) -> Iterator[tuple[Server, Path]]:
    """Its certificate is made out to `name`, and is the authority's as well: the second result."""
    directory.mkdir(exist_ok=True)
    key, certificate = directory / "key", directory / "certificate"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    words += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    with embedded(binaries=of_major(15), settings={"wal_level": "replica"}) as server:
        for there, file in (("server.key", key), ("server.crt", certificate)):
            (server.data / there).write_bytes(file.read_bytes())
            (server.data / there).chmod(0o600)
            server.account.own(server.data / there)
        with connect(server.address) as admin:
            admin.execute("ALTER SYSTEM SET ssl = on")
            admin.execute("SELECT pg_reload_conf()")
        yield server, certificate
