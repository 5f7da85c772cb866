"""known_hosts: which key a host must show. An unknown key is refused, so is a changed or a revoked one.

Fabric accepts all of them, and paramiko passes over `@revoked`, patterns and a second key of one kind: so the files are
read here (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"), and paramiko asks this policy about every key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko

from greenroom.errors import GreenroomError
from greenroom.ssh.route import Hop

REVOKED, AUTHORITY = "@revoked", "@cert-authority"
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}  # the other kinds sign under their own name


@dataclass(frozen=True)
class Known:
    """A line of a known_hosts file that is about our host; `marker` is empty for an ordinary key."""

    file: Path
    line: int
    marker: str
    kind: str
    key: bytes

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def known(hop: Hop) -> list[Known]:
    """All lines about it. As in ssh, a port of its own may be known by the plain name, and a HostKeyAlias may not."""
    host = hop.host.lower()
    plain_too = hop.port != 22 and hop.known_as == f"[{host}]:{hop.port}"
    return [*_about(hop, hop.known_as)] or ([*_about(hop, host)] if plain_too else [])


def algorithms(lines: list[Known], all_of_them: tuple[str, ...]) -> tuple[str, ...]:
    """Kinds of host keys in the order in which to ask for them: first those of which we know a key."""
    kinds = [line.kind for line in lines if not line.marker]
    first = [name for kind in kinds for name in _SIGNATURES.get(kind, (kind,)) if name in all_of_them]
    return tuple(dict.fromkeys([*first, *all_of_them]))


class Verifying(paramiko.MissingHostKeyPolicy):
    """Refuses every key that the known_hosts files do not hold for this hop. Told no key, paramiko asks about each."""

    def __init__(self, hop: Hop, ssh: str) -> None:
        self.hop, self.ssh = hop, ssh
        self.lines = known(hop)

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Return when the key is the host's. Raises GreenroomError when it is revoked, another one, or unknown."""
        same = [line for line in self.lines if line.key == key.asbytes()]
        if revoked := next((line for line in same if line.marker == REVOKED), None):
            raise GreenroomError(
                f"{self.hop.place} shows a key that {revoked} marks as revoked: nothing was sent to it.",
                "Ask the host's owner what happened, and for the key that it has now.",
            )
        if any(not line.marker for line in same):
            return
        shown = f"{key.get_name()} {fingerprint(key.asbytes())}"
        if other := next((line for line in self.lines if not line.marker), None):
            raise GreenroomError(
                f"{self.hop.place} shows another key than {other} has for it: {shown}. It may be an attack, or a host "
                "that was set up anew.",
                "Compare it with what the host's owner says. Only if it is the same: "
                f"ssh-keygen -R '{self.hop.known_as}' -f {other.file}, then once: {self.ssh}",
            )
        raise GreenroomError(
            f"the key of {self.hop.place} is not known here: {shown}. Nobody can tell whether it is that host."
            + self._authority(),
            f"Compare it with what the host's owner says. If it is the same, answer yes once to: {self.ssh}",
        )

    def _authority(self) -> str:
        line = next((line for line in self.lines if line.marker == AUTHORITY), None)
        return f" ({line} trusts a certificate authority, which only ssh can ask.)" if line else ""


def fingerprint(key: bytes) -> str:
    """As ssh prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _about(hop: Hop, name: str) -> Iterator[Known]:
    for file in hop.known_hosts:
        if file.is_file():
            for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
                yield from _read(file, number, line, name)


def _read(file: Path, number: int, line: str, name: str) -> Iterator[Known]:
    """A damaged line is passed over, as ssh does: it makes nothing known."""
    words = line.split()
    marker = words.pop(0) if words and words[0].startswith("@") else ""
    if len(words) < 3 or words[0].startswith("#") or not _matches(words[0], name):
        return
    try:
        yield Known(file, number, marker, words[1], base64.b64decode(words[2], validate=True))
    except binascii.Error:
        return


def _matches(names: str, name: str) -> bool:
    if names.startswith("|1|"):
        return _matches_hash(names, name)
    patterns = names.lower().split(",")
    if any(pattern.startswith("!") and _glob(pattern[1:], name) for pattern in patterns):
        return False
    return any(_glob(pattern, name) for pattern in patterns)


def _matches_hash(names: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in names.removeprefix("|1|").split("|"))
    except ValueError:
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def _glob(pattern: str, name: str) -> bool:
    """Only * and ? are special: brackets stand around a host that has a port."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), name) is not None
