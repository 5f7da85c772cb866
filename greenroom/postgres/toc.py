"""The table of contents of a pg_dump archive, read by ourselves: exact names and definitions, nothing started.

The layout is that of `ReadHead` and `ReadToc` in PostgreSQL's pg_backup_archiver.c, for archive versions 1.12 (9.0) to
1.16 (17 and 18); pg_restore's own listing does not quote names, so it cannot be taken apart again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from os import SEEK_CUR
from pathlib import Path
from typing import BinaryIO

MAGIC = b"PGDMP"
OLDEST, NEWEST = (1, 12), (1, 16)
_COMPRESSION_BYTE, _TABLE_METHOD, _RELATION_KIND = (1, 15), (1, 14), (1, 16)
_CUSTOM, _DIRECTORY = 1, 3  # a directory's toc.dat calls itself tar
_LONGEST_STRING = 1 << 30
_COMPRESSIONS = ("none", "gzip", "lz4", "zstd")
_OFFSET_KNOWN = 2
_BLOBS = 3
_PRE_DATA, _POST_DATA = 2, 4


class NotAnArchive(ValueError):
    """What was read does not continue as an archive does: cut off, damaged, or something else."""


class TooNew(ValueError):
    """The archive's own version is newer than any that is known here."""


@dataclass(frozen=True)
class Entry:
    """One thing in the archive, such as a TABLE and its CREATE statement; `needs` are numbers of others."""

    kind: str
    schema: str | None
    name: str
    owner: str | None
    definition: str
    has_data: bool
    place: int | str | None  # of its data: offset in the file, or name of the file in the directory
    number: int = 0
    section: int = 0
    tablespace: str | None = None
    needs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Contents:
    """What the archive says of itself; versions are texts such as `15.18 (Debian 15.18-0+deb12u1)`."""

    database: str
    server_version: str
    dump_version: str
    compression: str
    entries: tuple[Entry, ...]

    @property
    def server_major(self) -> int:
        """Of the server that was dumped."""
        return major(self.server_version)

    @property
    def dump_major(self) -> int:
        """Of the pg_dump that dumped it."""
        return major(self.dump_version)

    def of_kind(self, kind: str) -> Iterator[Entry]:
        """All entries of one kind, in the archive's order."""
        return (entry for entry in self.entries if entry.kind == kind)

    @property
    def post_data(self) -> Iterator[Entry]:
        """What `--section=post-data` restores; an entry without a section belongs to that of the one before it."""
        section = _PRE_DATA
        for entry in self.entries:
            section = entry.section if entry.section >= _PRE_DATA else section
            if section == _POST_DATA:
                yield entry


def major(version: str) -> int:
    """18 of `18.6`, 19 of `19beta1`; 0 of nothing that is known."""
    match = re.match(r"\d+", version)
    return int(match[0]) if match else 0


def read(path: Path) -> Contents:
    """The contents of a custom-format file, or of a directory's toc.dat. Raises NotAnArchive, TooNew and OSError."""
    with open(path, "rb") as file:
        return _Reader(file).contents()


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._version = (0, 0)
        self._integer = self._offset = 4
        self._format = 0
        self._compression = "gzip"

    def contents(self) -> Contents:
        self._head()
        database, server, dump = (self._string() or "" for _ in range(3))
        entries = tuple(self._entry() for _ in range(self._int()))
        self._check_last_block(entries)
        return Contents(database, server, dump, self._compression, entries)

    def _head(self) -> None:
        if self._bytes(len(MAGIC)) != MAGIC:
            raise NotAnArchive("it does not begin like one")
        major_, minor, _revision = self._bytes(3)
        self._version = (major_, minor)
        if self._version > NEWEST:
            raise TooNew(f"{major_}.{minor}")
        if self._version < OLDEST:
            raise NotAnArchive(f"its archive version {major_}.{minor} is older than PostgreSQL 9")
        self._integer, self._offset, self._format = self._bytes(3)
        if self._format not in (_CUSTOM, _DIRECTORY) or self._integer not in (4, 8):
            raise NotAnArchive("it is in no format that can be restored in parallel")
        self._compression = self._compressed_with() if self._version >= _COMPRESSION_BYTE else self._old_level()
        for _ in range(7):  # when it was made
            self._int()

    def _entry(self) -> Entry:
        number = self._int()
        has_data = bool(self._int())
        self._string(), self._string()  # catalogue and object ids
        name, kind = self._string() or "", self._string() or ""
        section = self._int()
        definition = self._string() or ""
        self._string(), self._string()  # DROP and COPY statements
        schema = self._string()
        tablespace = self._string() or None
        if self._version >= _TABLE_METHOD:
            self._string()
        if self._version >= _RELATION_KIND:
            self._int()
        owner = self._string()
        self._string()  # WITH OIDS
        needs = tuple(int(other) for other in iter(self._string, None))
        place = self._place_of_data()
        place = place if has_data else None
        return Entry(
            kind, schema or None, name, owner or None, definition, has_data, place, number, section, tablespace, needs
        )

    def _place_of_data(self) -> int | str | None:
        if self._format != _CUSTOM:
            return self._string()
        known = self._bytes(1)[0] == _OFFSET_KNOWN
        place = int.from_bytes(self._bytes(self._offset), "little")
        return place if known else None

    def _check_last_block(self, entries: tuple[Entry, ...]) -> None:
        """Walk through the block of data that lies last: a file that was cut off ends inside it."""
        offsets = [entry.place for entry in entries if isinstance(entry.place, int)]
        if not offsets:
            return
        self._file.seek(max(offsets))
        blobs = self._bytes(1)[0] == _BLOBS
        self._int()  # its number
        while self._int() if blobs else True:
            while length := self._int():
                self._file.seek(length, SEEK_CUR)
            if not blobs:
                return

    def _compressed_with(self) -> str:
        number = self._bytes(1)[0]
        return _COMPRESSIONS[number] if number < len(_COMPRESSIONS) else f"method {number}"

    def _old_level(self) -> str:
        return "gzip" if self._int() else "none"

    def _int(self) -> int:
        found = self._bytes(1 + self._integer)  # its sign, and the number without it
        value = int.from_bytes(found[1:], "little")
        return -value if found[0] == 1 else value

    def _string(self) -> str | None:
        length = self._int()
        if length < 0:
            return None
        if length > _LONGEST_STRING:
            raise NotAnArchive("a length in it makes no sense")
        return self._bytes(length).decode(errors="surrogateescape")

    def _bytes(self, count: int) -> bytes:
        found = self._file.read(count)
        if len(found) < count:
            raise NotAnArchive("it ends too early")
        return found
