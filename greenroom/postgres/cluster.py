"""Data directories: made once by initdb and kept as a template, copied for each server, set up as we need them."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from greenroom import places, shell
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres import phases, sockets
from greenroom.postgres.account import Account
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.sockets import socket_directory as socket_directory

SUPERUSER = "greenroom_server"  # none of the source's roles has this name, `postgres` least of all
LAYOUT = 3  # of what initdb is asked for: another number makes the templates anew

PHASE = "phase.conf"

FIXED = {
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_min_messages": "fatal",  # the log may quote rows of the data
    "log_min_error_statement": "panic",
    "unix_socket_permissions": "0700",
}
RESTORING, DURABLE = phases.LOADING, phases.DURABLE

_HBA = f"""\
local all {SUPERUSER} peer map=greenroom
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""
_SMALL_SHARED_MEMORY = 1 << 30


@contextmanager
def private_directory(place: Path | None = None) -> Iterator[Path]:
    """A directory of our own in `place` (default: that of throw-away data) for as long as the block lasts.

    The lock beside it, which the kernel lets go when its holder dies, says that the owner lives. Those of owners that
    were killed are removed first.
    """
    place = place or places.scratch()
    remove_abandoned(place)
    while True:
        directory = place / secrets.token_hex(3)
        lock = open(directory.with_suffix(".lock"), "a")  # noqa: SIM115
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _still_there(lock.fileno(), directory.with_suffix(".lock")):
            break
        lock.close()
    try:
        directory.mkdir(mode=0o700)
        yield directory
    finally:
        with shielded():  # removing takes its time, and a second Ctrl-C would leave half of the data
            remove(directory)
            directory.with_suffix(".lock").unlink(missing_ok=True)
            lock.close()


def abandoned() -> list[Path]:
    """The directories of this user whose owners are dead."""
    return [found for place in (places.scratch(), places.cache()) for found in _abandoned(place)]


def remove_abandoned(place: Path) -> None:
    """Remove the directories in `place` whose owners are dead, with the servers that still run there.

    Those of sockets whose private directory was removed by others too.
    """
    for directory in _abandoned(place):
        remove_if_abandoned(directory)
    sockets.remove_abandoned()


def remove_if_abandoned(directory: Path) -> None:
    """Remove a private directory, unless its owner lives."""
    with _owned_by_nobody(directory) as by_nobody:
        if by_nobody:
            stop_abandoned(directory)
            remove(directory)
            directory.with_suffix(".lock").unlink(missing_ok=True)


def stop_abandoned(directory: Path) -> None:
    """Stop the server that its killed owner left in `directory`, where the kernel did not do so."""
    stopper = directory / "stop"
    if (directory / "data" / "postmaster.pid").exists() and stopper.exists():
        shell.run(stopper.read_text().splitlines(), check=False)


def remove(directory: Path) -> None:
    """Remove a private directory and the socket's, where that had to be elsewhere."""
    if elsewhere := sockets.elsewhere(directory):
        shutil.rmtree(elsewhere, ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def create(
    directory: Path, binaries: Binaries, account: Account, settings: Mapping[str, str], base: Path | None = None
) -> Path:
    """A data directory in `directory`, ready to start: a clone of `base`, else of a fresh one."""
    data = directory / "data"
    account.own(directory)
    if base is not None:
        refuse_other_version(base, binaries)
    copied = shell.run(["cp", "-a", "--reflink=auto", base or _template(binaries, account), data], check=False)
    if copied.code != 0:
        raise GreenroomError(
            f"the files of a PostgreSQL server cannot be written: {shell.last_line(copied.stderr)}",
            "Free some space, or set TMPDIR to a directory with more room.",
        )
    _give(data, account)
    cloning = _cloning(data, binaries, account)  # while its configuration is whole
    (data / "pg_hba.conf").write_text(_HBA)
    (data / "pg_ident.conf").write_text(f'greenroom "{account.peer}" {SUPERUSER}\n')
    _include(data / "postgresql.conf")
    write_settings(data / "greenroom.conf", {**FIXED, **_shared_memory(), **cloning}, account)
    write_settings(data / PHASE, phases.loading(), account)
    write_settings(data / "given.conf", settings, account)
    return data


def refuse_other_version(base: Path, binaries: Binaries) -> None:
    """Raises GreenroomError where another major version has written the data directory."""
    found = (base / "PG_VERSION").read_text().strip()
    if found != str(binaries.major):
        raise GreenroomError(
            f"{base} is the data of PostgreSQL {found}, which a server of version {binaries.major} cannot read.",
            f"Install postgresql-{found}, or make the copy anew.",
        )


def write_settings(path: Path, settings: Mapping[str, str], account: Account) -> None:
    """A file of settings, replaced whole."""
    path.write_text(lines(settings))
    account.own(path)


def lines(settings: Mapping[str, str]) -> str:
    """As a file of settings has them."""
    return "".join("{} = '{}'\n".format(name, value.replace("'", "''")) for name, value in settings.items())


def _template(binaries: Binaries, account: Account) -> Path:
    """A fresh data directory of this version, made at most once: initdb takes a second, a copy a tenth."""
    keep = places.scratch() if account.owner is not None else places.cache()
    built = binaries.program("postgres").stat()
    template = keep / f"initdb-{LAYOUT}-{binaries.major}-{built.st_size:x}-{int(built.st_mtime):x}"
    if not (template / "PG_VERSION").exists():
        with private_directory(keep) as making:
            account.own(making)
            _initdb(binaries, account, making / "data")
            try:
                (making / "data").rename(template)
            except OSError:  # another process was first
                if not (template / "PG_VERSION").exists():
                    raise
    return template


def _include(path: Path) -> None:
    """Our files at the end of postgresql.conf; a clone of a server of ours has them already."""
    included = "".join(f"include '{name}'\n" for name in ("greenroom.conf", PHASE, "given.conf"))
    if not path.read_text().endswith(included):
        with open(path, "a") as file:
            file.write(f"\n{included}")


def _give(data: Path, account: Account) -> None:
    """To the account, where another one has made it."""
    owner = os.getuid() if account.owner is None else account.owner
    if data.stat().st_uid != owner:
        shell.run(["chown", "-R", f"{owner}:{owner}", data])


def _cloning(data: Path, binaries: Binaries, account: Account) -> dict[str, str]:
    """From 18 on CREATE DATABASE ... STRATEGY FILE_COPY clones, where the file system and the programs can."""
    if binaries.major < 18 or not _reflinks(data.parent):
        return {}
    words: list[str | Path] = [*account.prefix, binaries.program("postgres"), "-D", data, "-C", "file_copy_method"]
    asked = shell.run([*words, "-c", "file_copy_method=clone"], check=False)
    return {"file_copy_method": "clone"} if asked.code == 0 else {}


def _reflinks(place: Path) -> bool:
    """Whether two files there can share their blocks."""
    original, clone = place / "probe", place / "probe-clone"
    original.write_bytes(bytes(1 << 16))
    can = shell.run(["cp", "--reflink=always", original, clone], check=False).code == 0
    original.unlink()
    clone.unlink(missing_ok=True)
    return can


def _initdb(binaries: Binaries, account: Account, data: Path) -> None:
    words: list[str | Path] = [
        *account.prefix,
        binaries.program("initdb"),
        "-D",
        data,
        "-U",
        SUPERUSER,
        "-N",
        "--no-instructions",
    ]
    if binaries.major >= 18:  # before, there are none by default
        words.append("--no-data-checksums")
    words += ["--auth-local=peer", "--auth-host=scram-sha-256", "--encoding=UTF8"]
    if binaries.major >= 17:
        shell.run([*words, "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"])
    elif shell.run([*words, "--locale=C.UTF-8"], check=False).code != 0:
        shell.run([*words, "--locale=C"])


def _shared_memory() -> dict[str, str]:
    """Containers often have 64 MB of /dev/shm, where a parallel index build fails: files then."""
    try:
        found = os.statvfs("/dev/shm")  # noqa: S108
        small = found.f_blocks * found.f_frsize < _SMALL_SHARED_MEMORY
    except OSError:
        small = True
    return {"dynamic_shared_memory_type": "mmap"} if small else {}


def _abandoned(place: Path) -> list[Path]:
    found = []
    for path in sorted(place.glob("*.lock")):
        with _owned_by_nobody(path.with_suffix("")) as by_nobody:
            found += [path.with_suffix("")] if by_nobody else []
    return found


@contextmanager
def _owned_by_nobody(directory: Path) -> Iterator[bool]:
    """Whether its owner is dead; then nobody else removes it for as long as the block lasts."""
    try:
        lock = open(directory.with_suffix(".lock"))  # noqa: SIM115
    except FileNotFoundError:
        yield False
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield _still_there(lock.fileno(), directory.with_suffix(".lock"))


def _still_there(descriptor: int, path: Path) -> bool:
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
