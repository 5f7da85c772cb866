"""A VPN host for tests: a real sshd with throw-away keys, on loopback or in a network namespace of the test's own.

    with bastion(tmp_path) as host:
        monkeypatch.setenv("HOME", str(host.home))       # so `host.via` is an alias of ~/.ssh/config
        ... connected(host.via) ...
        host.cut()                                       # the connection dies in the middle
        host.settle()                                    # nothing is left there, or the test fails

Sessions run as the user of the tests, with a TMPDIR, a HOME and a PATH of the lab's own. What runs in one is known by a
variable in its environment, so that nothing of it is missed afterwards.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from greenroom.postgres.binaries import Binaries
from tests.integration.network import BASTION, Network
from tests.integration.sshd import KINDS, SSHD, WAIT_SECONDS, Sshd, keygen, until

# Enough of coreutils and the like for a shell; of PostgreSQL only what a test puts there.
TOOLS = """
    awk bash base64 cat chmod cp cut date dd df dirname du echo env expr false find grep gzip gunzip head id kill ls
    mkdir mktemp mv nice nohup od openssl perl printf ps pwd readlink rm rmdir sed seq setsid sh sha256sum sleep sort
    stat sync tail tee test timeout touch tr true uname wc which whoami xargs zstd
""".split()


def needed(*, namespaces: bool = False) -> None:
    """Skip where sshd (or root, for namespaces) is missing, and say so; in CI that is a failure."""
    missing = "openssh-server" if not Path(SSHD).exists() else ""
    if namespaces and os.getuid() != 0:
        missing = "root, for network namespaces"
    if missing and os.environ.get("CI"):
        pytest.fail(f"this needs {missing}")
    if missing:
        pytest.skip(f"this needs {missing}")


@dataclass
class Bastion:
    """A VPN host, or two in a row: then `via` is the inner one, behind the outer one."""

    directory: Path
    token: str
    servers: list[Sshd]

    @property
    def via(self) -> str:
        """Alias of the last host."""
        return self.servers[-1].alias

    @property
    def home(self) -> Path:
        """Ours: with .ssh/config, .ssh/known_hosts and .ssh/id_ed25519."""
        return self.directory / "home"

    @property
    def config(self) -> Path:
        return self.home / ".ssh" / "config"

    @property
    def known_hosts(self) -> Path:
        return self.home / ".ssh" / "known_hosts"

    @property
    def key(self) -> Path:
        return self.home / ".ssh" / "id_ed25519"

    @property
    def remote_tmp(self) -> Path:
        """TMPDIR of the sessions."""
        return self.directory / "host" / "tmp"

    @property
    def programs(self) -> Path:
        """PATH of the sessions."""
        return self.directory / "host" / "bin"

    def program(self, name: str, text: str | None) -> None:
        """Put a shell script onto PATH there, or (None) take away what bears the name."""
        (self.programs / name).unlink(missing_ok=True)
        if text is not None:
            (self.programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (self.programs / name).chmod(0o755)

    def client(self, binaries: Binaries | None) -> None:
        """Which PostgreSQL client is on PATH there; None: none."""
        for name in ("pg_dump", "pg_restore", "psql", "pg_dumpall"):
            self.program(name, f'exec {binaries.program(name)} "$@"' if binaries else None)

    def old_client(self, version: str = "12.20") -> None:
        """A pg_dump that is older than every server here, and refuses as such a one does."""
        refusal = "pg_dump: error: aborting because of server version mismatch"
        version_line = f"pg_dump (PostgreSQL) {version}"
        self.program(
            "pg_dump", f'case $1 in --version|-V) echo "{version_line}";; *) echo "{refusal}" >&2; exit 1;; esac'
        )

    def know(self, *lines: str) -> None:
        """The whole of known_hosts from now on; nothing: no host is known."""
        self.known_hosts.write_text("".join(f"{line}\n" for line in lines))

    def configure(self, *lines: str, alias: str | None = None) -> None:
        """Further lines of ssh_config for a host (the last one, unless `alias` names another); they win."""
        block = f"Host {alias or self.via}\n" + "".join(f"    {line}\n" for line in lines)
        self.config.write_text(block + self.config.read_text())

    def cut(self) -> int:
        """The connections of all sessions end; returns how many there were."""
        return sum(server.cut() for server in self.servers)

    def running(self) -> list[str]:
        """Command lines of what runs in sessions, or was left by them."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"GREENROOM_LAB={self.token}".encode() in (process / "environ").read_bytes().split(b"\0"):
                    found.append(
                        (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                    )
            except OSError:  # gone, or not ours
                continue
        return sorted(filter(None, found))

    def leftovers(self) -> list[str]:
        """Processes and files that are there now."""
        return [*self.running(), *(str(path) for path in sorted(self.remote_tmp.iterdir()))]

    def settle(self, seconds: float = WAIT_SECONDS) -> None:
        """Wait until nothing is left there; fail when something stays."""
        until(lambda: not self.leftovers(), lambda: f"left on the host: {self.leftovers()}", seconds)


@contextmanager
def bastion(
    directory: Path, *, hops: int = 1, network: Network | None = None, options: Sequence[str] = ()
) -> Iterator[Bastion]:
    """One sshd, or two of which the second is behind the first; `options` are lines of the last sshd_config."""
    needed(namespaces=network is not None)
    made = Bastion(directory / "bastion", secrets.token_hex(8), [])
    _prepare(made)
    with ExitStack() as running:
        for alias in ["bastion", "inner"][:hops]:
            server = _server(made, alias, network, options if len(made.servers) == hops - 1 else ())
            running.callback(_ended, made, server)
            server.start()
            made.servers.append(server)
        _configure(made)
        yield made


def _ended(made: Bastion, server: Sshd) -> None:
    """Whatever a failed test left in its sessions goes too."""
    server.stop()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"GREENROOM_LAB={made.token}".encode() in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


def _prepare(made: Bastion) -> None:
    for place in (made.home / ".ssh", made.remote_tmp, made.programs, made.directory / "host" / "home"):
        place.mkdir(parents=True, mode=0o700)
    keygen(made.key)
    for tool in TOOLS:
        if found := shutil.which(tool):
            (made.programs / tool).symlink_to(found)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)


def _server(made: Bastion, alias: str, network: Network | None, options: Sequence[str]) -> Sshd:
    directory = made.directory / alias
    directory.mkdir()
    for kind in KINDS:
        keygen(directory / f"host_{kind}", kind)
    address, port = (network.bastion_address, 22) if network and alias == "bastion" else ("127.0.0.1", _free_port())
    prefix = network.prefix(BASTION) if network else []
    environment = {
        "GREENROOM_LAB": made.token,
        "TMPDIR": made.remote_tmp,
        "PATH": made.programs,
        "HOME": made.directory / "host" / "home",
    }
    lines = [
        *options,  # of two lines the first one counts
        f"ListenAddress {address}",
        f"Port {port}",
        *(f"HostKey {directory / f'host_{kind}'}" for kind in KINDS),
        f"AuthorizedKeysFile {made.key}.pub",
        "SetEnv " + " ".join(f"{name}={value}" for name, value in environment.items()),
        *("StrictModes no", "UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no"),
        *("PermitRootLogin prohibit-password", "PidFile none", "Subsystem sftp internal-sftp", "UseDNS no"),
    ]
    (directory / "sshd_config").write_text("\n".join(lines) + "\n")
    return Sshd(alias, directory, address, port, prefix)


def _configure(made: Bastion) -> None:
    """StrictHostKeyChecking stands there because it must change nothing."""
    blocks = [
        f"Host {server.alias}\n    HostName {server.address}\n    Port {server.port}\n"
        + (f"    ProxyJump {made.servers[0].alias}\n" if number else "")
        for number, server in enumerate(made.servers)
    ]
    common = [
        f"User {getpass.getuser()}",
        f"IdentityFile {made.key}",
        f"UserKnownHostsFile {made.known_hosts}",
        *("GlobalKnownHostsFile none", "IdentitiesOnly yes", "StrictHostKeyChecking no"),
    ]
    made.config.write_text("\n".join([*blocks, "Host *", *(f"    {line}" for line in common)]) + "\n")
    made.know(*(f"{server.place} {server.public()}" for server in made.servers))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
