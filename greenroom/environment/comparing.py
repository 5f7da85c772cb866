"""A file of values against SSM: which names differ. Secrets are shown as fingerprints that hold for one run."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from enum import Enum
from typing import NamedTuple

from greenroom.environment.parameters import Parameter, is_taken
from greenroom.environment.registry import Registry
from greenroom.secret import Secret

SHOWN = 48  # characters of a value; all of them where two differ further on
_SALT = secrets.token_bytes(16)  # of this process: a fingerprint that leaves it says nothing


class State(Enum):
    """How a name stands on both sides; the value is the mark that is shown."""

    NEW = "+"
    CHANGED = "~"
    ONLY_THERE = "-"
    SAME = "="
    FOREIGN = "!"  # the app takes no parameter of this name from SSM


class Difference(NamedTuple):
    """One name. `here` is the file's, `there` is SSM's."""

    name: str
    state: State
    here: Secret | None
    there: Parameter | None


def compare(registry: Registry, here: dict[str, Secret], there: dict[str, Parameter]) -> list[Difference]:
    """Every name of either side: in the registry's order, then the others."""
    names = [*registry.variables, *sorted((here.keys() | there.keys()) - registry.variables.keys())]
    return [
        Difference(name, _state(registry, name, here.get(name), there.get(name)), here.get(name), there.get(name))
        for name in names
        if name in here or name in there
    ]


def table(registry: Registry, differences: list[Difference]) -> str:
    """A line for each name that is not the same on both sides, and how many are."""
    shown = [found for found in differences if found.state is not State.SAME]
    width = max((len(found.name) for found in shown), default=0)
    lines = [f"  {found.state.value} {found.name.ljust(width)}  {_words(registry, found)}" for found in shown]
    same = len(differences) - len(shown)
    return "\n".join([*lines, f"  = {same} the same"])


def fingerprint(value: Secret) -> str:
    """Equal for equal values within this process, and nothing that could be looked up."""
    return f"#{hmac.new(_SALT, value.reveal().encode(), hashlib.sha256).hexdigest()[:8]}"


def _state(registry: Registry, name: str, here: Secret | None, there: Parameter | None) -> State:
    if here and not is_taken(registry, name):
        return State.FOREIGN
    if here and there:
        return State.SAME if here == there.value else State.CHANGED
    return State.NEW if here else State.ONLY_THERE


def _words(registry: Registry, found: Difference) -> str:
    here = _shown(registry, found, found.here)
    there = _shown(registry, found, found.there.value if found.there else None)
    return {
        State.NEW: _cut(here),
        State.CHANGED: f"{there} -> {here}" if _cut(there) == _cut(here) else f"{_cut(there)} -> {_cut(here)}",
        State.ONLY_THERE: f"only in SSM{'' if is_taken(registry, found.name) else ', and not taken from there'}",
        State.FOREIGN: _foreign(registry, found.name),
        State.SAME: "",
    }[found.state]


def _foreign(registry: Registry, name: str) -> str:
    known = name in registry.variables
    return "the task definition sets it, not SSM" if known else "not in the registry"


def _shown(registry: Registry, found: Difference, value: Secret | None) -> str:
    """The value itself only when it is declared, is no secret, and is not kept as one."""
    if value is None:
        return ""
    variable = registry.variables.get(found.name)
    open_there = found.there is None or found.there.type != "SecureString"
    if variable is None or variable.secret or not open_there:
        return fingerprint(value)
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in value.reveal())


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
