"""Where the running app is reached from outside: what functional tests are told by the registry's variables."""

from __future__ import annotations

from greenroom import ports, shell
from greenroom.config import Config
from greenroom.environment.registry import Registry, load
from greenroom.errors import GreenroomError
from greenroom.secret import oddity

PROTOCOL, HOST, PORT = "DJANGO_EXTERNAL_PROTOCOL", "DJANGO_EXTERNAL_HOST_NAME", "DJANGO_EXTERNAL_PORT_NUM"


def url(config: Config) -> str:
    """Of the three variables, each from the shell, else as plain Python has it. Raises GreenroomError."""
    registry = load(config)
    return f"{_value(registry, PROTOCOL)}://{_value(registry, HOST)}:{port(config)}"


def port(config: Config) -> int:
    """The port of it. Raises GreenroomError."""
    given = _value(load(config), PORT)
    number = ports.number(given)
    if number is None:
        what = f"is a port from 1 to {ports.HIGHEST}, not {given}" if given.isdecimal() else "is no number"
        raise GreenroomError(f"{PORT} {what}.", f"Set it to one, such as 8000, or unset it: unset {PORT}")
    return number


def _value(registry: Registry, name: str) -> str:
    declared = registry.variables.get(name)
    given = shell.variable(name) or (declared.default_in("plain-python") if declared else "-")
    if given == "-":
        raise GreenroomError(f"{name} is not set, and the registry has no default for it.", "Set it, or give --url.")
    if odd := oddity(given):
        raise GreenroomError(f"{name} {odd}.", f"Set it without that, or unset it: unset {name}")
    return given
