"""Throw-away keys for an sshd among the containers, and the ssh_config that leads through it."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from greenroom.compose.project import Project
from greenroom.errors import GreenroomError
from greenroom.ssh import keys

SERVICE = "bastion"
SSH = 22  # the port that known_hosts does not name
ALIAS = "ledger-bastion"
DIRECTORY = Path("build/bastion")
_CONFIG = """\
# Written by ./inv up --profile bastion. In ~/.ssh/config, at its top: {include}
Host {alias}
    HostName {host}
    Port {port}
    User {service}
    IdentityFile {key}
    IdentitiesOnly yes
    UserKnownHostsFile {known_hosts}
"""
_PLAIN = re.compile(r"[\w@%+=:,./~-]+")


def prepare(project: Project) -> Path | None:
    """Write keys (once), known_hosts and ssh_config; the last one's path. None without such a service.

    Raises GreenroomError where they cannot be written.
    """
    port = next((port for port in project.ports if port.service == SERVICE), None)
    if port is None:
        return None
    directory = (project.root / DIRECTORY).resolve()
    try:
        return _written(directory, port.host, port.number)
    except OSError as error:
        raise GreenroomError(
            f"keys for the bastion cannot be written into {directory}: {error.strerror}.",
            "Remove that directory (Docker makes it as root where it is missing), then run again.",
        ) from None


def way(config: Path) -> str:
    """How a person goes through it, for the terminal."""
    return (
        f"The bastion leads to the database. Once, at the top of ~/.ssh/config: {_include(config)}\n"
        f"  then: ssh {ALIAS}, or ./inv migrate-rehearse --target compose (docs/running.md has its password)"
    )


def _written(directory: Path, host: str, port: int) -> Path:
    """What the server needs may be read by its container, whoever it runs as: the directory around it is closed."""
    server = directory / "server"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    server.mkdir(exist_ok=True)
    if not (server / "host_key").exists():
        keys.write_pair(server / "host_key", mode=0o644)
        keys.write_pair(directory / "key")
    (server / "authorized_keys").write_text((directory / "key.pub").read_text())
    (server / "authorized_keys").chmod(0o644)
    place = host if port == SSH else f"[{host}]:{port}"
    (directory / "known_hosts").write_text(f"{place} {(server / 'host_key.pub').read_text()}")
    config = directory / "ssh_config"
    words = {"alias": ALIAS, "host": host, "port": port, "service": SERVICE, "include": _include(config)}
    files = {name: _quoted(str(directory / name).replace("%", "%%")) for name in ("key", "known_hosts")}
    config.write_text(_CONFIG.format(**words, **files))
    return config


def _include(config: Path) -> str:
    return f"Include {_quoted(glob.escape(str(config)))}"


def _quoted(name: str) -> str:
    """A file's name as a word of ssh_config."""
    if _PLAIN.fullmatch(name):
        return name
    return '"' + name.replace('"', '\\"') + '"'
