"""What a dump is, and whether it can be restored here: what must be refused is refused before anything is made."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg

from greenroom.errors import GreenroomError
from greenroom.postgres import binaries as programs
from greenroom.postgres import outside, toc, workers
from greenroom.postgres.binaries import Binaries

COMPRESSED = 3.0
_AGAIN = "Dump it again: pg_dump -Fc -f FILE DATABASE"
_SCRIPT = re.compile(rb"^(--|\\\w|SET |CREATE |INSERT |BEGIN|COPY |DROP |ALTER |/\*)", re.MULTILINE)
# what the official image has beside plpgsql, and images that have it all and more (by the beginning of the name)
_CONTRIB = frozenset(
    "amcheck bloom btree_gin btree_gist citext cube dblink dict_int dict_xsyn earthdistance file_fdw fuzzystrmatch "
    "hstore intagg intarray isn lo ltree pageinspect pg_buffercache pg_freespacemap pg_prewarm pg_stat_statements "
    "pg_trgm pg_visibility pg_walinspect pgcrypto pgrowlocks pgstattuple postgres_fdw seg sslinfo tablefunc tcn "
    "tsm_system_rows tsm_system_time unaccent uuid-ossp xml2".split()
)
_IMAGES = {
    "postgis": "postgis/postgis:{major}-3.5",
    "vector": "pgvector/pgvector:pg{major}",
    "timescaledb": "timescale/timescaledb:latest-pg{major}",
}
# of a column of the type xml, and of one whose values are compressed by lz4, as pg_dump writes them
_OF_XML = re.compile(r'^    (?:"(?:[^"]|"")+"|\S+) xml\b', re.MULTILINE)
_BY_LZ4 = re.compile(r" SET COMPRESSION lz4;")
_BUILDS = {
    "ICU": "SELECT EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')",
    "lz4": "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'",
}
_ENDINGS = ("", ".gz", ".lz4", ".zst")


@dataclass(frozen=True)
class Archive:
    """A dump in custom format (a file) or directory format; `called` is what people know it by, if not by its file."""

    path: Path
    contents: toc.Contents
    called: str | None = None

    @property
    def name(self) -> str:
        """For people."""
        return self.called or self.path.name

    @property
    def extensions(self) -> list[str]:
        """Names of the extensions that a copy gets."""
        return sorted(self._all_extensions - {workers.CRON})

    @property
    def has_cron(self) -> bool:
        """Whether pg_cron is in it, which a copy does not get."""
        return workers.CRON in self._all_extensions

    @property
    def _all_extensions(self) -> set[str]:
        return {entry.name for entry in self.contents.of_kind("EXTENSION")}

    @property
    def subscriptions(self) -> list[str]:
        """Names of the subscriptions in it, which are not restored."""
        return sorted(entry.name for entry in self.contents.of_kind("SUBSCRIPTION"))

    @property
    def mapped_servers(self) -> list[str]:
        """Names of the foreign servers for which it has user mappings, which are not restored."""
        return outside.servers_in(self.contents)

    @property
    def tablespaces(self) -> list[str]:
        """Names of those that tables or indexes lie in, other than the database's own."""
        return sorted({entry.tablespace for entry in self.contents.entries if entry.tablespace})

    @property
    def needed_of_builds(self) -> dict[str, list[str]]:
        """What not every build of PostgreSQL has (ICU, lz4, XML), and names of what in the dump needs it."""
        tables = [entry for kind in ("TABLE", "MATERIALIZED VIEW") for entry in self.contents.of_kind(kind)]
        collations = self.contents.of_kind("COLLATION")
        found = {
            "ICU": sorted(e.name for e in collations if "provider = icu" in e.definition),
            "lz4": sorted(f"{e.schema}.{e.name}" for e in tables if _BY_LZ4.search(e.definition)),
            "XML": sorted(f"{e.schema}.{e.name}" for e in tables if _OF_XML.search(e.definition)),
        }
        return {what: names for what, names in found.items() if names}

    @property
    def properties(self) -> list[str]:
        """`ALTER DATABASE ... SET` and `ALTER ROLE ... IN DATABASE ... SET`, as they stood for the source."""
        return [
            line for entry in self.contents.of_kind("DATABASE PROPERTIES") for line in _statements(entry.definition)
        ]

    @property
    def privileges(self) -> list[str]:
        """`GRANT` and `REVOKE` on the database itself."""
        named = f"DATABASE {self.contents.database}"
        return [
            line
            for entry in self.contents.of_kind("ACL")
            if entry.name == named and entry.schema is None
            for line in _statements(entry.definition)
        ]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each table's rows as they lie in the archive, by `schema.table`; without those that are unknown."""
        tables = {f"{entry.schema}.{entry.name}": entry.place for entry in self.contents.of_kind("TABLE DATA")}
        places = sorted(entry.place for entry in self.contents.entries if isinstance(entry.place, int))
        ends = dict(pairwise([*places, self.path.stat().st_size])) if places else {}
        in_file = {name: ends[place] - place for name, place in tables.items() if isinstance(place, int)}
        files = {name: self._file(place) for name, place in tables.items() if isinstance(place, str)}
        return in_file | {name: file.stat().st_size for name, file in files.items() if file}

    @property
    def packed(self) -> float:
        """How many bytes of rows one byte of the archive is, by experience."""
        return 1.0 if self.contents.compression == "none" else COMPRESSED

    def _file(self, place: str) -> Path | None:
        found = (self.path / f"{place}{end}" for end in _ENDINGS)
        return next((file for file in found if file.exists()), None)

    @property
    def locale(self) -> str | None:
        """`ENCODING = ... LOCALE = ...` of the source, as CREATE DATABASE takes it; None when not told."""
        for entry in self.contents.of_kind("DATABASE"):
            match = re.search(r" TEMPLATE = template0 (ENCODING = .*?)(?: TABLESPACE = .*)?;", entry.definition)
            return match[1] if match else None
        return None


def of_database(database: str) -> str:
    """What an archive is called that we have made ourselves: nobody knows its file."""
    return f"the archive of {database}"


def inspect(path: Path, called: str | None = None) -> Archive:
    """Read what the archive says of itself. Raises GreenroomError for everything that pg_restore could not restore."""
    if not path.exists():
        raise GreenroomError(f"there is no dump {path}.", "Check the path given to --dump.")
    table = path / "toc.dat" if path.is_dir() else path
    if not table.exists():
        raise GreenroomError(f"{path} is a directory without toc.dat, so it is no directory-format dump.", _AGAIN)
    try:
        contents = toc.read(table)
    except OSError as error:
        raise GreenroomError(f"{table} cannot be read: {error.strerror}.", "Check its permissions.") from error
    except toc.TooNew as error:
        raise _too_new(called or path.name, f"archive version {error}") from error
    except toc.NotAnArchive as error:
        raise _not_an_archive(path, table, str(error), called) from error
    if path.is_dir():
        _refuse_missing_files(path, contents)
    return Archive(path, contents, called)


def restorer_for(archive: Archive) -> Binaries:
    """The oldest pg_restore that reads the archive: of its pg_dump's major version or newer. Raises GreenroomError."""
    contents = archive.contents
    newer = [found for found in programs.found() if found.major >= contents.dump_major]
    if not newer:
        raise _too_new(archive.name, f"pg_dump {contents.dump_major}")
    able = [found for found in newer if found.reads(contents.compression)]
    if not able:
        raise GreenroomError(
            f"{archive.name} is compressed with {contents.compression}, which no pg_restore here can read.",
            "Dump it again with gzip: pg_dump -Fc -Z gzip -f FILE DATABASE",
        )
    return min(able, key=lambda found: found.major)


def refuse_older_server(archive: Archive, server_major: int, label: str) -> None:
    """A server cannot take the dump of a newer one. Raises GreenroomError."""
    if archive.contents.server_major > server_major:
        raise GreenroomError(
            f"{archive.name} is a dump of PostgreSQL {archive.contents.server_major}, and {label} is "
            f"PostgreSQL {server_major}: an older server cannot take it.",
            f"Give a server of PostgreSQL {archive.contents.server_major} or newer with --server.",
        )


def built_with(connection: psycopg.Connection) -> set[str]:
    """What a server has of that which not every build of PostgreSQL has: ICU, lz4, XML."""
    found = {name for name, query in _BUILDS.items() if connection.execute(query.encode()).fetchone() == (True,)}
    with suppress(psycopg.errors.FeatureNotSupported):
        connection.execute("SELECT '<a/>'::xml")
        found.add("XML")
    return found


def refuse_missing(archive: Archive, available: set[str], built: set[str], label: str) -> None:
    """Refuse what the copy's server lacks, by name; `built` is what it is built with. Raises GreenroomError."""
    major = archive.contents.server_major
    missing = [name for name in archive.extensions if name not in available]
    if missing:
        many = "s" if len(missing) > 1 else ""
        raise GreenroomError(
            f"{archive.name} needs the extension{many} {', '.join(missing)}, which {label} does not have.",
            f"Restore on a server that has them: {_image_with(missing, major)}--server postgresql://USER@HOST/postgres",
        )
    for what, names in archive.needed_of_builds.items():
        if what not in built:
            raise GreenroomError(
                f"{archive.name} needs {what} ({', '.join(names)}), which {label} does not have.",
                f"Restore on a server built with it: {_image_with([], major)}--server postgresql://USER@HOST/postgres",
            )


def _image_with(extensions: list[str], major: int) -> str:
    """The image that is known to have them all, as an option; nothing where none is."""
    others = [name for name in extensions if name not in _CONTRIB]
    images = {next((image for start, image in _IMAGES.items() if name.startswith(start)), "") for name in others}
    if "" in images or len(images) > 1:
        return ""
    image = images.pop() if images else "postgres:{major}"
    return f"--server docker:{image.format(major=major)} or "


def _refuse_missing_files(path: Path, contents: toc.Contents) -> None:
    for entry in contents.entries:
        if isinstance(entry.place, str) and not Archive(path, contents)._file(entry.place):
            raise GreenroomError(
                f"{path.name} is incomplete: {entry.place}, the data of {entry.name}, is missing.", _AGAIN
            )


def _too_new(name: str, made_by: str) -> GreenroomError:
    known = max((found.major for found in programs.found()), default=0)
    return GreenroomError(
        f"{name} was made by {made_by}, which is newer than the newest pg_restore here ({known or 'none'}).",
        "Install the PostgreSQL programs of that major version, or dump with an older pg_dump.",
    )


def _not_an_archive(path: Path, table: Path, why: str, called: str | None) -> GreenroomError:
    name, again = called or path.name, "Run it again." if called else f"Copy it again. {_AGAIN}"
    with open(table, "rb") as file:
        start = file.read(4096)
    if start.startswith(toc.MAGIC):
        return GreenroomError(f"{name} is truncated or damaged: {why}.", again)
    if start[257:262] == b"ustar":
        return GreenroomError(f"{name} is in tar format, which cannot be restored in parallel.", _AGAIN)
    if start.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        return GreenroomError(f"{name} is compressed as a whole.", "Decompress it first (gunzip, zstd -d).")
    if start and b"\0" not in start and _SCRIPT.search(start):
        return GreenroomError(
            f"{name} is a plain SQL script: pg_restore cannot read it, and psql would also run commands of its "
            "own that a script can carry (CVE-2025-8714).",
            "Make an archive instead: pg_dump -Fc -f FILE DATABASE",
        )
    return GreenroomError(f"{name} is no dump of PostgreSQL.", "Make one: pg_dump -Fc -f FILE DATABASE")


def _statements(text: str) -> list[str]:
    return [part.strip() for part in re.split(r";\n", text) if part.strip()]
