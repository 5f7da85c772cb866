"""As whom we log in: keys of the agent and of files, in the order of OpenSSH. Nobody is ever asked for a password."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import (
    AuthenticationException,
    BadAuthenticationType,
    PasswordRequiredException,
    SSHException,
)

from greenroom.errors import GreenroomError
from greenroom.ssh.route import Hop

DEFAULTS = ("id_rsa", "id_ecdsa", "id_ed25519")


@dataclass
class Identities:
    """What paramiko calls an authentication strategy: it tries keys until the server takes one."""

    hop: Hop
    ssh: str
    tried: list[str] = field(default_factory=list)
    locked: list[Path] = field(default_factory=list)
    agent: paramiko.Agent | None = None

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Log in. Raises GreenroomError when the server takes none of our keys."""
        try:
            self._authenticate(transport)
        finally:
            if self.agent:
                self.agent.close()

    def _authenticate(self, transport: paramiko.Transport) -> None:
        offered = self._offered(transport)
        if offered is None:
            return
        if "publickey" in offered:
            for name, key in self._keys():
                self.tried.append(name)
                try:
                    further = transport.auth_publickey(self.hop.user, key)
                except SSHException:
                    if not transport.is_active():  # MaxAuthTries
                        break
                    continue
                if not further:
                    return
                raise self._wants(f"wants {_listed(further)} besides a key")
        raise self._refused(offered)

    def _offered(self, transport: paramiko.Transport) -> list[str] | None:
        """What the server would take; None when it needs nothing. ssh asks so too, and it counts as no attempt."""
        try:
            transport.auth_none(self.hop.user)
        except BadAuthenticationType as error:
            return list(error.allowed_types)
        except AuthenticationException:
            return ["publickey"]
        return None

    def _keys(self) -> Iterator[tuple[str, paramiko.PKey]]:
        """The agent's that a file names, then, unless IdentitiesOnly, its others, then those of files alone."""
        files = self.hop.identity_files or tuple(Path.home() / ".ssh" / name for name in DEFAULTS)
        agents = {key.asbytes(): key for key in self._of_agent()}
        named = {path: blob for path in files if (blob := _public(path)) in agents}
        for path, blob in named.items():
            yield f"{path} by the agent", agents[blob]
        if not self.hop.identities_only:
            for blob, key in agents.items():
                if blob not in named.values():
                    yield f"{_comment(key)} of the agent", key
        for path in files:
            if path not in named and (loaded := self._loaded(path)) and loaded.asbytes() not in agents:
                yield str(path), loaded

    def _of_agent(self) -> tuple[paramiko.PKey, ...]:
        try:
            self.agent = paramiko.Agent()
            return tuple(self.agent.get_keys())
        except (SSHException, OSError):
            return ()

    def _loaded(self, path: Path) -> paramiko.PKey | None:
        """The private key; None when there is none, or it has a passphrase, which nobody is here to type."""
        try:
            return paramiko.PKey.from_path(path)
        except (PasswordRequiredException, TypeError):  # TypeError is how `cryptography` says the latter
            self.locked.append(path)
        except (OSError, ValueError, SSHException, UnsupportedAlgorithm, UnknownKeyType):
            pass
        return None

    def _refused(self, offered: list[str]) -> GreenroomError:
        if "publickey" not in offered:
            return self._wants(f"takes only {_listed(offered)}")
        tried = f"tried: {', '.join(self.tried)}" if self.tried else "there is none to try"
        sentence = f"{self.hop.label} takes none of our keys ({tried})."
        if self.locked:
            names = " ".join(map(str, self.locked))
            sentence = f"{sentence[:-1]}, and {names} has a passphrase, which no agent holds."
            return GreenroomError(sentence, f"Type `ssh-add {names}`, then run again.")
        return GreenroomError(
            sentence,
            f"Check user and key with: {self.ssh}. A key of yours must stand in the user's authorized_keys there.",
        )

    def _wants(self, what: str) -> GreenroomError:
        return GreenroomError(
            f"{self.hop.label} {what}, and Greenroom never asks for a password.",
            "Have a key put into the user's authorized_keys there.",
        )


def _public(path: Path) -> bytes | None:
    """The public half of an identity file, without unlocking it."""
    for candidate in (path.with_name(path.name + ".pub"), path):
        try:
            return base64.b64decode(candidate.read_text().split()[1], validate=True)
        except (OSError, IndexError, UnicodeDecodeError, binascii.Error):
            continue
    return None


def _comment(key: paramiko.PKey) -> str:
    return str(getattr(key, "comment", "") or key.get_name())


def _listed(kinds: list[str]) -> str:
    return ", ".join(kinds) or "nothing"
