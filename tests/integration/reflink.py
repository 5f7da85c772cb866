"""A file system whose files can share their blocks: XFS in a file, mounted for as long as a block lasts."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GIGABYTE = 1 << 30


class NotHere(Exception):
    """This machine cannot do it; the words say why."""


@contextmanager
def reflinking(size: int = GIGABYTE) -> Iterator[Path]:
    """An empty directory on XFS, of so many bytes; the file behind it is sparse. Raises NotHere."""
    if os.getuid() != 0:
        raise NotHere("mounting needs root")
    if not shutil.which("mkfs.xfs"):
        raise NotHere("mkfs.xfs (xfsprogs) is not on this machine")
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="greenroom-xfs-") as place:
        disk, root = Path(place) / "disk", Path(place) / "root"
        root.mkdir()
        disk.touch()
        os.truncate(disk, size)
        _run("mkfs.xfs", "-q", "-m", "reflink=1", disk)
        _run("mount", "-o", "loop", disk, root)
        try:
            Path(place).chmod(0o711)
            root.chmod(0o711)
            yield root
        finally:
            _unmount(root)


def used_bytes(place: Path) -> int:
    """Of the file system, when all that was written is on it."""
    subprocess.run(["sync", "-f", place], check=True)
    found = os.statvfs(place)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _unmount(root: Path) -> None:
    """Even while a program of a failed test still has a file open there."""
    if subprocess.run(["umount", root], capture_output=True, check=False).returncode != 0:
        _run("umount", "--lazy", root)


def _run(*words: str | Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotHere(f"{words[0]} failed: {done.stderr.strip()}")
