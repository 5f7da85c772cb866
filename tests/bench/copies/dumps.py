"""The dump over SSH, through a real sshd on loopback: ours, and `ssh HOST pg_dump -Fc` of OpenSSH."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from greenroom.console import Silent
from greenroom.copies import far, origin
from greenroom.copies.far import FarDump
from greenroom.copies.origin import Origin
from greenroom.copies.reach import Reached
from greenroom.postgres.binaries import Binaries
from tests.bench.copies.source import Source
from tests.bench.figures import rate
from tests.integration.bastion import Bastion, bastion
from tests.integration.sshd import SSHD

REACH = 0.9


def compared(source: Source, programs: Binaries, scratch: Path, runs: int) -> bool:
    """Print both rates; true when ours is high enough."""
    if not Path(SSHD).exists() or not shutil.which("ssh"):
        print("there is no sshd or no ssh here, so no dump over SSH to compare: NOT reached")
        return False
    from greenroom.ssh.connection import connected

    read = origin.read(Reached(source.address, source.address, None), "bench", [], [], Silent())
    with bastion(scratch) as host:
        host.client(programs)
        with connected(host.via, config=host.config) as there:
            found = far.far_dump(there, read)
            assert isinstance(found, FarDump)
            compress = far.schema(found, read, scratch / "schema")
        ours, theirs = [], []
        for _ in range(runs):
            theirs.append(_of_openssh(host, found, read, compress, scratch / "theirs"))
            ours.append(_ours(host, read, compress, scratch / "ours"))
    what = f"{source.label}: its dump over SSH, --compress={compress}, against ssh HOST pg_dump"
    return rate(what, ours, theirs, REACH)


def _ours(host: Bastion, read: Origin, compress: str, path: Path) -> float:
    """MB/s, with the time to connect."""
    from greenroom.ssh.connection import connected

    began = time.monotonic()
    with connected(host.via, config=host.config) as there:
        found = far.far_dump(there, read)
        assert isinstance(found, FarDump)
        far.stream(found, read, compress, path, Silent())
        return _rate(path, time.monotonic() - began)


def _of_openssh(host: Bastion, found: FarDump, read: Origin, compress: str, path: Path) -> float:
    """MB/s, with the time to connect. The password goes by standard input, as ours does."""
    address = read.real
    assert address.password
    dump = [found.program, "--format=custom", f"--compress={compress}", f"--dbname={address.conninfo}"]
    script = f"read -r PGPASSWORD && export PGPASSWORD && exec {shlex.join(dump)}"
    words = ["ssh", "-F", host.config, host.via, script]
    began = time.monotonic()
    with path.open("wb") as file:
        subprocess.run(words, input=address.password.reveal().encode() + b"\n", stdout=file, check=True)
    return _rate(path, time.monotonic() - began)


def _rate(path: Path, seconds: float) -> float:
    size = path.stat().st_size
    path.unlink()
    os.sync()
    print(f"  {path.name}: {size / 1e6:.0f} MB in {seconds:.2f} s", flush=True)
    return size / 1e6 / seconds
