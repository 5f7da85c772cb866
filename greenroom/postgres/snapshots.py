"""Restored copies that are kept: pristine, stopped data directories, from whose clones the next rehearsals start.

They hold the real data, as the copy did: masked where it was masked. They lie in a directory that its owner alone may
read, go by age or with their dump, and by a limit of disk, and are not made for a sensitive target unless that says
`cache = true`.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from greenroom.config import Target
from greenroom.errors import GreenroomError
from greenroom.postgres import snapshot_description as description
from greenroom.postgres import snapshot_place
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.snapshot_description import DATA, build_of
from greenroom.postgres.snapshot_description import Contents as Contents  # these three for the callers of `store`
from greenroom.postgres.snapshot_description import Key as Key
from greenroom.postgres.snapshot_description import Snapshot as Snapshot

GIGABYTE = 1_000_000_000
LONGEST_LABEL = 40

_PLACE = {"kind", "via", "host", "port", "name", "cluster", "instance"}  # a host behind another VPN is another one
_SHAPING = {*_PLACE, "exclude_data", "masks", "sensitive"}


@dataclass(frozen=True)
class Stored:
    """What became of a copy that was to be kept: `told` is for people, a line each."""

    snapshot: Snapshot | None
    told: list[str]


class Gone(GreenroomError):
    """The snapshot was removed between finding and cloning it: the copy has to be made anew."""


def of_dump(path: Path) -> Key:
    """The key of a dump: the file itself, or the files of a directory, by name, size and time. Raises OSError."""
    real = path.resolve()
    files = sorted(real.iterdir()) if real.is_dir() else [real]
    seen = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return Key(f"dump {path.name}", path.name, _digest(["dump", str(real), seen]), dump=str(real))


def of_target(name: str, target: Target) -> Key:
    """The key of a database of the configuration: its name, and all that shapes the copy, such as the masks."""
    shaping = target.model_dump(mode="json", include=_SHAPING)
    shaping["exclude_data"] = sorted(shaping["exclude_data"])
    return Key(f"target {name}", name, _digest(["target", name, shaping]), place_of(target))


def place_of(target: Target) -> str:
    """The same for one database, whatever a target says of copies of it."""
    return _digest(target.model_dump(mode="json", include=_PLACE))


def find(key: Key, max_age_hours: float | None = None, binaries: Binaries | None = None) -> Snapshot | None:
    """The newest that is whole and young enough (None: of any age), written by `binaries` where they are given.

    Those that are too old are removed.
    """
    same = [found for found in listed() if found.digest == key.digest]
    old = [found for found in same if max_age_hours is not None and found.age > timedelta(hours=max_age_hours)]
    for found in old:
        snapshot_place.remove(found.path)
    fitting = [
        found
        for found in same
        if found not in old and found.state == "whole" and (binaries is None or found.build == build_of(binaries))
    ]
    return max(fitting, key=lambda found: found.made, default=None)


@contextmanager
def cloned(snapshot: Snapshot, *, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server of our own on a clone of it, set up for loading until `durable()`. Raises Gone and GreenroomError."""
    with ExitStack() as stack:
        with snapshot_place.reading(snapshot.path) as there:
            if not there or (written_by := snapshot.binaries) is None:
                raise Gone(f"the snapshot {snapshot.name} has been removed in this moment.", "Run again.")
            server = stack.enter_context(embedded(binaries=written_by, base=snapshot.data, settings=settings))
        yield server


def forget(place: str, but: Key | None = None) -> None:
    """Remove the snapshots of one database, `but` those of this key: what was allowed earlier is not allowed now."""
    for found in listed():
        if found.place == place and not (but and found.digest == but.digest):
            snapshot_place.remove(found.path)


def store(
    server: Server, key: Key, contents: Contents, *, limit_gb: float, max_age_hours: float | None = None
) -> Stored:
    """Keep what the server holds now, for `max_age_hours` (None: a dump's, as long as the dump).

    It is stopped meanwhile: sessions on it end, its address stays.

    The oldest snapshots go where the limit or the disk demands it, and so do older ones of the same key. Where it
    cannot be kept, that is told and is no error. Raises GreenroomError when the server does not come back.
    """
    limit = int(limit_gb * GIGABYTE)
    if limit <= 0:
        return Stored(None, [])
    with snapshot_place.making() as path:
        with server.stopped() as data:
            told, refused = _cloned_into(path, data, limit)
        if refused:
            return Stored(None, [*told, f"no snapshot of {key.source} is kept: {refused}"])
        description.write(path, key, contents, server, max_age_hours)
        kept = description.read(snapshot_place.name_it(path, f"{_slug(key.label)}-{secrets.token_hex(3)}"))
    older = [found for found in listed() if found.digest == key.digest and found.made < kept.made]
    for found in older:
        snapshot_place.remove(found.path)
    return Stored(kept, told + _make_room(0, 0, limit, spare=0))


def listed() -> list[Snapshot]:
    """All that are here, the oldest first; also those of another version, and what is damaged.

    Those whose time has passed are removed, and those whose dump has gone, but for one that is being cloned at this
    moment.
    """
    snapshot_place.sweep(snapshot_place.directory())
    there = sorted(map(description.read, snapshot_place.named()), key=lambda found: (found.made, found.name))
    return [found for found in there if not ((found.expired or _outlived(found)) and snapshot_place.remove(found.path))]


def _outlived(found: Snapshot) -> bool:
    """Whether the dump that it was restored from has been removed, or written anew: then nobody can ask for it."""
    try:
        return found.dump is not None and of_dump(Path(found.dump)).digest != found.digest
    except OSError:
        return True


def remove(snapshot: Snapshot) -> None:
    """Remove it. Raises GreenroomError when a rehearsal clones it at this moment."""
    if not snapshot_place.remove(snapshot.path):
        raise GreenroomError(f"{snapshot.name} is being cloned at this moment.", "Run again when that has begun.")


def evictions(standing: Sequence[Snapshot], size: int, cost: int, limit: int, spare: int) -> list[Snapshot] | None:
    """Which have to go so that one of `size` bytes fits: the useless first, then the oldest. None: it never fits.

    All together within `limit` bytes; `cost` is what it takes on the disk, where `spare` may still be written.
    """
    going: list[Snapshot] = []
    waiting = sorted(standing, key=lambda found: (found.state == "whole", found.made))
    total = size + sum(found.size_bytes for found in standing)
    while total > limit or cost > spare:
        if not waiting:
            return None
        going.append(waiting.pop(0))
        total -= going[-1].size_bytes
        spare += going[-1].size_bytes
    return going


def _cloned_into(path: Path, data: Path, limit: int) -> tuple[list[str], str | None]:
    """What was evicted for it, and why it could not be cloned."""
    size = snapshot_place.measured(data).taken
    if size > limit:
        return [], f"its {_gigabytes(size)} are more than tool.greenroom.snapshots.limit_gb"
    cost = 0 if snapshot_place.shares_blocks(data, path) else size
    try:
        told = _make_room(size, cost, limit, snapshot_place.spare_bytes())
    except _NoRoom:
        return [], f"with its {_gigabytes(size)} less than a tenth of the disk would be free"
    try:
        snapshot_place.clone(data, path / DATA)
    except GreenroomError as error:
        return told, error.sentence
    return told, None


class _NoRoom(Exception):
    """Not even without all others."""


def _make_room(size: int, cost: int, limit: int, spare: int) -> list[str]:
    """Evict what has to go; who went, for people. One that is being cloned stays for this time."""
    going = evictions(listed(), size, cost, limit, spare)
    if going is None:
        raise _NoRoom
    return [
        f"the snapshot {found.name} ({found.source}) was removed to make room"
        for found in going
        if snapshot_place.remove(found.path)
    ]


def _digest(of: object) -> str:
    return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()


def _slug(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", label).strip(".-_")[:LONGEST_LABEL] or "snapshot"


def _gigabytes(size: int) -> str:
    return f"{size / GIGABYTE:.1f} GB"
