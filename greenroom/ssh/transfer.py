"""Bring a file from the VPN host, whole: size and checksum are compared, and what was interrupted goes on.

A stream over a channel is as fast as the connection; SFTP waits for each of its pieces.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from greenroom.errors import GreenroomError
from greenroom.ssh import scripts
from greenroom.ssh.connection import connected
from greenroom.ssh.dialling import Unreachable
from greenroom.ssh.directory import ALIVE_SECONDS, keep_alive
from greenroom.ssh.host import Host

PIECE_BYTES = 1024 * 1024
PAUSES_SECONDS = (0.5, 1, 2, 4, 8, 16, 30, 60)  # before each further attempt that brought nothing: two minutes

OnBytes = Callable[[int, int], None]


def fetch(via: str, remote_path: str, local: Path, on_bytes: OnBytes, *, config: Path | None = None) -> None:
    """Bring `remote_path` to `local` (0600). What is there already is taken over when it is the file's beginning.

    `on_bytes` is told bytes done and bytes in all. A connection that was lost is made anew while something arrives.
    Raises GreenroomError; Unreachable when the host stays away: then the same call goes on where this one ended.
    """
    pauses: Iterator[float] | None = None  # a host that is not there from the beginning is not waited for
    while True:
        had = _size(local)
        try:
            with connected(via, config=config) as host:
                pauses = pauses or iter(PAUSES_SECONDS)
                return _fetch(host, remote_path, local, on_bytes)
        except Unreachable:
            if _size(local) > had:
                pauses = iter(PAUSES_SECONDS)
            pause = next(pauses or iter(()), None)
            if pause is None:
                raise
            time.sleep(pause)


def _fetch(host: Host, remote_path: str, local: Path, on_bytes: OnBytes) -> None:
    keep_alive(host, remote_path)
    total = _remote_size(host, remote_path)
    with _opened(local) as file:
        summed = _beginning(host, remote_path, file, total)
        with host.running(_checksum(remote_path, total)) as whole:
            _stream(host, remote_path, file, total, summed, on_bytes)
            expected = _digest(b"".join(iter(lambda: whole.read(4096), b"")), whole.wait(), host)
        if file.tell() != total or summed.hexdigest() != expected:
            file.truncate(0)
            raise GreenroomError(
                f"{remote_path} of {host.label} did not arrive whole: its checksum is another one here.",
                "Run it again; if it happens twice, the disk here or there is suspect.",
            )


def _stream(host: Host, remote_path: str, file: BinaryIO, total: int, summed: hashlib._Hash, on_bytes: OnBytes) -> None:
    said = time.monotonic()
    with host.running(["tail", "-c", f"+{file.tell() + 1}", remote_path]) as remote:
        while piece := remote.read(PIECE_BYTES):
            file.write(piece)
            summed.update(piece)
            on_bytes(file.tell(), total)
            if time.monotonic() - said > ALIVE_SECONDS:
                keep_alive(host, remote_path)
                said = time.monotonic()
        if remote.wait() != 0:
            raise GreenroomError(f"{remote_path} on {host.label} cannot be read: {remote.stderr.strip()}")


def _beginning(host: Host, remote_path: str, file: BinaryIO, total: int) -> hashlib._Hash:
    """The checksum of what is here, and `file` at its end; both empty when the file there begins otherwise."""
    had = file.seek(0, os.SEEK_END)
    file.seek(0)
    summed = hashlib.sha256()
    if 0 < had <= total:
        while piece := file.read(PIECE_BYTES):
            summed.update(piece)
        found = host.run(_checksum(remote_path, had), check=False)
        if _digest(found.stdout.encode(), found.code, host) == summed.hexdigest():
            return summed
    file.seek(0)
    file.truncate()
    return hashlib.sha256()


def _checksum(remote_path: str, size: int) -> list[str]:
    return ["/bin/sh", "-c", scripts.CHECKSUM, "checksum", remote_path, str(size)]


def _digest(said: bytes, code: int, host: Host) -> str:
    words = said.decode(errors="replace").split()
    if code != 0 or not words or len(words[0]) != 64:
        raise GreenroomError(f"{host.label} has no program for SHA-256.", "Install coreutils or openssl there.")
    return words[0]


def _remote_size(host: Host, remote_path: str) -> int:
    found = host.run(["/bin/sh", "-c", 'wc -c <"$1"', "size", remote_path], check=False)
    if found.code != 0:
        raise GreenroomError(f"{remote_path} cannot be read on {host.label}: {found.stderr.strip()}")
    return int(found.stdout)


@contextmanager
def _opened(local: Path) -> Iterator[BinaryIO]:
    try:
        with open(os.open(local, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            os.fchmod(file.fileno(), 0o600)
            yield file
    except OSError as error:
        raise GreenroomError(
            f"{local} cannot be written: {error.strerror}.", "Make room there, then run again."
        ) from error


def _size(local: Path) -> int:
    return local.stat().st_size if local.exists() else 0
