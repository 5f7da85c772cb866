"""What is known of a snapshot, written beside its data: whose copy it is, which programs wrote it, what it lacks."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from greenroom.postgres import binaries as programs
from greenroom.postgres import cluster
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.embedded import Server
from greenroom.postgres.server import ServerFacts
from greenroom.postgres.snapshot_place import measured
from greenroom.tables import Snapshots

FORMAT = 5  # of what a snapshot holds and how its key is made: another number makes them all anew
DATA, DESCRIPTION = "data", "snapshot.json"

State = Literal["whole", "damaged", "of another version"]


@dataclass(frozen=True)
class Key:
    """What a snapshot is a copy of: two equal digests mean the same copy. `source` and `label` are for people.

    `place` is the same for all copies of one database, whatever its target says of them; empty for a dump. `dump` is
    where that lies, None for a database.
    """

    source: str
    label: str
    digest: str
    place: str = ""
    dump: str | None = None


@dataclass(frozen=True)
class Contents:
    """What is in it. `facts` and `settings` are the source's own; `masks` are the columns that were masked.

    `owner` is the role that migrates; `notes` belong into the report of every rehearsal on it. `covered`: every column
    of the masked tables that may hold words has a rule, so that a copy may outlive its rehearsal.
    """

    database: str
    owner: str
    facts: ServerFacts
    settings: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    covered: bool = False


@dataclass(frozen=True)
class Snapshot:
    """One that is here. `contents` is None where nobody can tell any more; `made` and `until` are ISO 8601 in UTC.

    `until` is None where it stays as true as it was made: that of a `dump`, which goes with it. `counted` are the files
    and their lengths when it was made: only `state` counts them again, which takes a moment.
    """

    path: Path
    source: str
    digest: str
    made: str
    size_bytes: int
    version: str
    build: str
    described: State
    counted: tuple[int, int] | None = None
    contents: Contents | None = None
    until: str | None = None
    place: str = ""
    dump: str | None = None

    @cached_property
    def state(self) -> State:
        """A program that cleans temporary directories takes single files away: so they are counted."""
        if self.described == "whole" and self.counted is not None:
            found = measured(self.data)
            return "whole" if (found.files, found.length) == self.counted else "damaged"
        return self.described

    @property
    def name(self) -> str:
        """By which it can be removed."""
        return self.path.name

    @property
    def data(self) -> Path:
        """The data directory, at rest: nobody starts a server on it, only on a clone."""
        return self.path / DATA

    @property
    def age(self) -> timedelta:
        """Since it was made."""
        return datetime.now(UTC) - datetime.fromisoformat(self.made)

    @property
    def expired(self) -> bool:
        """Whether it holds its source's data for longer than that may be."""
        return self.until is not None and datetime.fromisoformat(self.until) < datetime.now(UTC)

    @property
    def binaries(self) -> Binaries | None:
        """The programs that wrote it; None where they are not here any more."""
        return _here(self.build)


def write(path: Path, key: Key, contents: Contents, server: Server, max_age_hours: float | None) -> None:
    """Describe the data in `path` that was cloned from `server`; it goes at `max_age_hours` (None: at no age)."""
    found = measured(path / DATA)
    now = datetime.now(UTC)
    described = {
        "format": FORMAT,
        "layout": cluster.LAYOUT,
        "source": key.source,
        "digest": key.digest,
        "place": key.place,
        "dump": key.dump,
        "made": now.isoformat(),
        "until": None if max_age_hours is None else (now + timedelta(hours=max_age_hours)).isoformat(),
        "version": f"{server.version_num // 10000}.{server.version_num % 10000}",
        "build": build_of(server.binaries),
        "files": found.files,
        "length": found.length,
        "size_bytes": found.taken,
        "contents": asdict(contents),
    }
    with open(os.open(path / DESCRIPTION, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(described, file)


def read(path: Path) -> Snapshot:
    """What is there under a name; whatever is wrong with it, it is a snapshot that can be removed."""
    try:
        told = json.loads((path / DESCRIPTION).read_text())
        if (told["format"], told["layout"]) != (FORMAT, cluster.LAYOUT):
            return _unknown(path, "of another version")
        return Snapshot(
            path=path,
            source=str(told["source"]),
            digest=str(told["digest"]),
            made=str(told["made"]),
            size_bytes=int(told["size_bytes"]),
            version=str(told["version"]),
            build=str(told["build"]),
            described="whole" if _here(told["build"]) else "of another version",
            counted=(int(told["files"]), int(told["length"])),
            contents=_contents(told["contents"]),
            until=told["until"],
            place=str(told["place"]),
            dump=told["dump"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return _unknown(path, "damaged")


def build_of(binaries: Binaries) -> str:
    """Which PostgreSQL it is: data of another build is not started with it."""
    postgres = binaries.program("postgres").stat()
    return f"{binaries.major}-{postgres.st_size:x}-{int(postgres.st_mtime):x}"


def _here(build: str) -> Binaries | None:
    return next((found for found in programs.found() if found.can_serve and build_of(found) == build), None)


def _contents(told: Mapping[str, Any]) -> Contents:
    lists = {name: tuple(map(str, told[name])) for name in ("notes", "masks")}
    facts = ServerFacts(**told["facts"])
    covered = told.get("covered") is True
    return Contents(str(told["database"]), str(told["owner"]), facts, dict(told["settings"]), covered=covered, **lists)


def _unknown(path: Path, described: State) -> Snapshot:
    """It goes by the age that holds where nothing is said."""
    made = datetime.fromtimestamp(path.stat().st_mtime if path.exists() else 0, UTC)
    until = made + timedelta(hours=Snapshots().max_age_hours)
    size = measured(path).taken
    return Snapshot(path, "", "", made.isoformat(), size, "", "", described, until=until.isoformat())
