"""What an image is made of, by groups of layers, and what changed since the last one that was built here."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from greenroom import git
from greenroom.config import Config
from greenroom.docker_images import Built
from greenroom.image.planning import Plan

BASE, OTHER = "base", "other"
NAMED = 4  # changed files or packages that are named
_COPY = re.compile(r"^(?:COPY|ADD) .*?(\S+) # buildkit$")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class Group:
    """Layers that belong together: their size, and the digests of their content."""

    size_bytes: int
    content: list[str | None]


@dataclass(frozen=True)
class Record:
    """One build, as it is remembered: by name what is in it, and what it was made of."""

    name: str
    id: str
    groups: dict[str, Group]
    packages: dict[str, str]
    files: dict[str, str]


def record(plan: Plan, built: Built) -> Record:
    """What there is to say of the image, and of the checkout that it was built from."""
    pins = plan.config.root / plan.config.image.pins
    text = pins.read_text(encoding="utf-8") if pins.is_file() else ""
    return Record(plan.name, built.id, groups(plan.config, built), dict(_PIN.findall(text)), _files(plan.config))


def groups(config: Config, built: Built) -> dict[str, Group]:
    """The layers by what their COPY leads to, the base's first; below the first of ours all is the base's."""
    wanted = {path: name for name, path in config.image.layers.items()}
    found: dict[str, Group] = {}
    group = BASE
    for layer in built.layers:
        copied = _COPY.match(layer.instruction)
        named = wanted.get(copied[1]) if copied else None
        group = named or (BASE if group == BASE else OTHER)
        before = found.get(group, Group(0, []))
        found[group] = Group(before.size_bytes + layer.size_bytes, [*before.content, layer.diff_id])
    return {name: group for name, group in found.items() if group.size_bytes or name == BASE}


def remembered(config: Config) -> Record | None:
    """The last one that was built here; None where there is none, or none that can be read."""
    try:
        said = json.loads(_place(config).read_text(encoding="utf-8"))
        return Record(**{**said, "groups": {name: Group(**group) for name, group in said["groups"].items()}})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def remember(config: Config, made: Record) -> None:
    """Keep it for the next build to compare with."""
    place = _place(config)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(asdict(made), indent=1), encoding="utf-8")


def table(made: Record, last: Record | None) -> str:
    """A line for the image and one for each group: its size, and what changed."""
    total = sum(group.size_bytes for group in made.groups.values())
    width = max(map(len, made.groups))
    lines = [f"{made.name}  {made.id}  {_mb(total)}"]
    lines += [
        f"  {name.ljust(width)}  {_mb(group.size_bytes)}  {_change(name, made, last)}".rstrip()
        for name, group in made.groups.items()
    ]
    if last:
        lines.append(f"compared with {last.name}" + (", the same image" if last.id == made.id else ""))
        lines += _differences("packages", last.packages, made.packages, versions=True)
        lines += _differences("files", last.files, made.files, versions=False)
    return "\n".join(lines)


def _change(name: str, made: Record, last: Record | None) -> str:
    if last is None:
        return ""
    before, now = last.groups.get(name), made.groups[name]
    if before is None:
        return "new"
    if before.content == now.content:
        return "same"
    return f"changed ({(now.size_bytes - before.size_bytes) / 1e6:+.2f} MB)"


def _differences(what: str, before: dict[str, str], now: dict[str, str], *, versions: bool) -> list[str]:
    changed = [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
    words = [f"{name} {before.get(name, '-')} -> {now.get(name, '-')}" if versions else name for name in changed]
    more = [f"and {len(words) - NAMED} more"] if len(words) > NAMED else []
    return [f"  {what}: {', '.join([*words[:NAMED], *more])}"] if words else []


def _files(config: Config) -> dict[str, str]:
    """The project's files that git knows, or would know, by their content."""
    paths = (config.root / name for name in git.files(config.root, config.project.directory))
    return {str(path.relative_to(config.root)): _digest(path) for path in paths if path.is_file()}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:6.1f} MB"


def _place(config: Config) -> Path:
    return config.root / "build" / "image" / "last.json"
