"""What is wrong before the command is typed: keys, passwords, programs; and disks small enough to be filled."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.bastion import needed
from tests.integration.faults.stage import Stage
from tests.integration.sshd import keygen

SMALL = "size=400m,mode=711"  # room for a server, its WAL and the copy


def wrong_key(stage: Stage) -> None:
    """The host knows another one."""
    stage.host.key.write_text(_other_key(stage).read_text())


def wrong_host_key(stage: Stage) -> None:
    """The host shows another key than it had: somebody may be in between."""
    _, public, *_ = _other_key(stage).with_suffix(".pub").read_text().split()
    stage.host.know(f"{stage.host.servers[0].place} ssh-ed25519 {public}")


def wrong_password(stage: Stage) -> None:
    """PostgreSQL knows another one."""
    stage.password = "mistyped-pa55word"


def older_client(stage: Stage) -> None:
    """The pg_dump of the VPN host is older than the server."""
    stage.host.old_client()


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A file system of its own, in memory, for as long as the block lasts."""
    needed(namespaces=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", SMALL, "greenroom-small", place], check=True)
    try:
        yield
    finally:
        if subprocess.run(["umount", place], capture_output=True, check=False).returncode:
            subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path) -> Path:
    """Somebody else's file takes all that is free; never on a disk that is not small. Returns the file."""
    assert place.is_mount(), f"{place} is no disk of its own"
    path = place / "somebody-elses"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            return path
    raise AssertionError("unreachable")


def _other_key(stage: Stage) -> Path:
    path = stage.host.directory / "other"
    keygen(path)
    return path
