"""One real sshd, which a VPN host for tests is made of: it starts, is cut off and stops; and key pairs for it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from greenroom.postgres.account import dies_with_us

SSHD = "/usr/sbin/sshd"
WAIT_SECONDS = 10.0
KINDS = ("ed25519", "ecdsa")


@dataclass
class Sshd:
    """One server: `alias` in ssh_config, `place` in known_hosts."""

    alias: str
    directory: Path
    address: str
    port: int
    prefix: list[str]
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def place(self) -> str:
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"

    def public(self, kind: str = KINDS[0]) -> str:
        """`ssh-ed25519 AAAA...`."""
        return " ".join((self.directory / f"host_{kind}.pub").read_text().split()[:2])

    def start(self) -> None:
        """Also again, after `stop`."""
        words = [*self.prefix, *dies_with_us(), SSHD, "-D", "-e", "-f", str(self.directory / "sshd_config")]
        with (self.directory / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: "Server listening" in self.log(), f"sshd did not start: {self.log()}")

    def stop(self) -> None:
        """The listener and every session."""
        if self.process:
            self.cut()
            self.process.kill()
            self.process.wait()
            (self.directory / "sshd.log").write_bytes(b"")

    def cut(self) -> int:
        """Kill what serves the sessions, not what runs in them: as seen from here the host has gone."""
        assert self.process
        served = [pid for child in _children(self.process.pid) for pid in (child, *_children(child))]
        sessions = [pid for pid in served if _name(pid).startswith("sshd")]
        for pid in sessions:
            os.kill(pid, signal.SIGKILL)
        return len(sessions)

    def log(self) -> str:
        return (self.directory / "sshd.log").read_text(errors="replace")


def keygen(path: Path, kind: str = "ed25519", passphrase: str = "") -> None:
    """Make a key pair, in place of what is there."""
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)], check=True)


def until(found: Callable[[], object], otherwise: str | Callable[[], str], seconds: float = WAIT_SECONDS) -> None:
    """Wait for it; fail when it takes longer."""
    deadline = time.monotonic() + seconds
    while not found():
        if time.monotonic() > deadline:
            pytest.fail(otherwise if isinstance(otherwise, str) else otherwise())
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # gone
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
