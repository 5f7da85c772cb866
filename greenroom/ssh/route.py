"""Where `via` leads: the hops that ssh_config names, the first one first.

Read by paramiko's SSHConfig, which leaves Include out and takes each ~ for a home: both are done here. What OpenSSH
asks for and this does not know (GSSAPI, a certificate authority for hosts, passwords) leads to a refusal, never to a
laxer connection.
"""

from __future__ import annotations

import getpass
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paramiko import SSHConfig
from paramiko.ssh_exception import ConfigParseError, CouldNotCanonicalize

from greenroom.errors import GreenroomError

SYSTEM = Path("/etc/ssh")
CONNECT_SECONDS = 5
MOST_HOPS = 8
MOST_INCLUDES = 16
_TOKENS = SSHConfig.TOKENS_BY_CONFIG_KEY
PERCENT = "\0"  # stands for %%, which begins no token; no file's name has it
_WORDS = re.compile(r"""(?:\s*+(?!\#)(?:\\.|"(?:\\.|[^"\\])*+"|'(?:\\.|[^'\\])*+'|[^\s"'\\])++)*+""")
_LINE = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.+?)\s*")
_PLACE = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@\s]+)@)?(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^@:\s,/-][^@:\s,/]*))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)


@dataclass(frozen=True)
class Hop:
    """One SSH server on the way. `known_as` is its name in the known_hosts files; `proxy_command` is for the first."""

    host: str
    port: int
    user: str
    known_as: str
    known_hosts: tuple[Path, ...]
    identity_files: tuple[Path, ...] = ()
    identities_only: bool = False
    proxy_command: str | None = None
    seconds: float = CONNECT_SECONDS

    @property
    def label(self) -> str:
        """For people: user@host, and the port where it is not 22."""
        return f"{self.user}@{self.place}" if self.port != 22 else f"{self.user}@{self.host}"

    @property
    def place(self) -> str:
        """host:port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class _Config(SSHConfig):
    """Leaves ~ as it is: only at a name's beginning is it a home, and in a command that is its shell's business."""

    TOKENS_BY_CONFIG_KEY = {key: [one for one in found if one != "~"] for key, found in _TOKENS.items()}


def route(via: str, config: Path | None = None) -> list[Hop]:
    """The hops to `via`: USER@HOST, USER@HOST:PORT or an alias. The last one is the host itself.

    `config` stands in for the user's and the system's ssh_config. Raises GreenroomError.
    """
    return _hops(via, _configuration(config), config, direct=False, seen=())


def as_typed(via: str, config: Path | None) -> str:
    """The `ssh` command that leads to `via` too, for hints."""
    found = _PLACE.fullmatch(via)
    assert found is not None
    host = found["v6"] or found["host"]
    words = ["ssh", *(("-F", str(config)) if config else ()), *(("-p", found["port"]) if found["port"] else ())]
    return shlex.join([*words, f"{found['user']}@{host}" if found["user"] else host])


def _hops(place: str, text: str, config: Path | None, *, direct: bool, seen: tuple[str, ...]) -> list[Hop]:
    """`direct`: its own ProxyJump does not count, because it stands after another in the ProxyJump of its target."""
    if place in seen or len(seen) >= MOST_HOPS:
        raise GreenroomError(
            f"ProxyJump leads in a circle: {' -> '.join([*seen, place])}.",
            f"Write `ProxyJump none` under the first hop's Host in {config or '~/.ssh/config'}.",
        )
    options = _options(place, text, config)
    before: list[Hop] = []
    for number, jump in enumerate([] if direct else _jumps(options)):
        before += _hops(jump, text, config, direct=number > 0, seen=(*seen, place))
    return [*before, _hop(options, first=not before and not direct)]


def _options(place: str, text: str, config: Path | None) -> dict[str, Any]:
    """What ssh_config says of `USER@HOST:PORT`; what stands there itself comes first, so that it wins."""
    found = _PLACE.fullmatch(place)
    if not found:
        raise GreenroomError(
            f"{place!r} names no SSH host.", "Write USER@HOST, USER@HOST:PORT or an alias of ssh_config."
        )
    given = "".join(f"{key} {found[key]}\n" for key in ("user", "port") if found[key])
    try:
        options: dict[str, Any] = _Config.from_text(given + text).lookup(found["v6"] or found["host"])
        options["port"] = int(options.get("port", 22))
    except (ConfigParseError, CouldNotCanonicalize, KeyError, ValueError) as error:
        where = config or "~/.ssh/config"
        raise GreenroomError(
            f"{where} cannot be read: {error}.", f"Correct it; `ssh -G {place}` shows how ssh reads it."
        ) from error
    return options


def _jumps(options: Mapping[str, Any]) -> list[str]:
    """The hops before it. Of ProxyJump and ProxyCommand the one that was met first counts."""
    jump = options.get("proxyjump")
    names = list(options)
    if not jump or jump.lower() == "none":
        return []
    if "proxycommand" in options and names.index("proxycommand") < names.index("proxyjump"):
        return []
    return [place.strip() for place in jump.split(",")]


def _hop(options: Mapping[str, Any], *, first: bool) -> Hop:
    host, port = str(options["hostname"]), int(options["port"])
    plain = host if port == 22 else f"[{host}]:{port}"
    return Hop(
        host=host,
        port=port,
        user=str(options.get("user") or getpass.getuser()),
        known_as=str(options.get("hostkeyalias") or plain).lower(),
        known_hosts=tuple(_known_hosts(options)),
        identity_files=tuple(_path(name) for name in options.get("identityfile", []) if name.lower() != "none"),
        identities_only=options.get("identitiesonly", "no").lower() == "yes",
        proxy_command=options.get("proxycommand") if first else None,
        seconds=float(options.get("connecttimeout", CONNECT_SECONDS)),
    )


def _known_hosts(options: Mapping[str, Any]) -> Iterator[Path]:
    home = Path.home() / ".ssh"
    users = f"{shlex.quote(str(home / 'known_hosts'))} {shlex.quote(str(home / 'known_hosts2'))}"
    systems = f"{SYSTEM / 'ssh_known_hosts'} {SYSTEM / 'ssh_known_hosts2'}"
    for value in (options.get("userknownhostsfile", users), options.get("globalknownhostsfile", systems)):
        for name in _words(value):
            if name.lower() != "none":
                yield _path(name.replace("%d", str(Path.home())).replace("%h", options["hostname"]))


def _path(name: str) -> Path:
    return _expanded(name.replace(PERCENT, "%"))


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise GreenroomError(
            f"ssh_config cannot be read: {name} begins with a user whose home is not known.",
            "Correct it, or write the whole path.",
        ) from None


def _configuration(config: Path | None) -> str:
    """The user's file, then the system's, as one text with every Include put in."""
    home = Path.home() / ".ssh"
    if config is None:
        return _text(home / "config", home) + "Host *\n" + _text(SYSTEM / "ssh_config", SYSTEM)
    if not config.is_file():
        raise GreenroomError(f"{config} is not there.", "Name an ssh_config that can be read.")
    return _text(config, home)


def _text(file: Path, base: Path, depth: int = 0) -> str:
    """The file's lines. After an Include the block that it stood in goes on, as ssh has it."""
    if not file.is_file():
        return ""
    block, lines = "Host *", []
    for line in file.read_text(errors="replace").splitlines():
        key, value = (found[1].lower(), found[2]) if (found := _LINE.fullmatch(line)) else ("", "")
        if key in ("host", "match"):
            block = line
        if key != "include":
            lines += _read_by_paramiko(key, value) or [line]
        elif depth < MOST_INCLUDES:
            lines += [*(_text(file, base, depth + 1) for file in _included(value, base)), block]
    return "\n".join(lines) + "\n"


def _read_by_paramiko(key: str, value: str) -> list[str]:
    """Names of files, so that they come back whole: it takes a pair of quotes off a value, and knows no others."""
    value = value.replace("%%", PERCENT)
    if key == "identityfile":
        return [f'{key} "{name}"' for name in _words(value)]
    return [f'{key} "{value}"'] if key in ("userknownhostsfile", "globalknownhostsfile") else []


def _included(patterns: str, base: Path) -> Iterator[Path]:
    for pattern in _words(patterns):
        absolute = base / _expanded(pattern)
        yield from sorted(Path("/").glob(str(absolute).lstrip("/")))


def _words(text: str) -> list[str]:
    """As ssh reads a line: one that begins with # ends it."""
    found = _WORDS.match(text)
    rest = text[found.end() :].lstrip() if found else text
    try:
        return shlex.split(found[0] if found and rest.startswith("#") else text)
    except ValueError:
        raise GreenroomError(
            f"ssh_config cannot be read: {text} lacks a quotation mark.", "Correct it; ssh -G HOST shows its line."
        ) from None
