"""A pipe with a name: whoever opens it late gets all of it, and nobody waits for ever."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

from greenroom.postgres.copying.pipe import Pipe, pipe

ROWS = b"rows" * 1000


def path_in(data: Path) -> Path:
    (found,) = data.glob("*.pipe")
    return found


def written(way: Pipe, said: bytes, code: int = 0) -> int:
    """By a program that has ended with `code`."""
    script = f"import sys; sys.stdout.buffer.write({said!r}); sys.exit({code})"
    ended = subprocess.run([sys.executable, "-c", script], stdout=way.mouth, check=False)
    way.handed_over()
    return ended.returncode


def heard(way: Pipe, data: Path, read: int) -> bytes:
    """What comes out for somebody who opens it only now, while it is tended."""
    out: list[bytes] = []
    listener = threading.Thread(target=lambda: out.append(path_in(data).read_bytes()), daemon=True)
    way.tend(read, None)
    listener.start()
    while listener.is_alive():
        way.tend(read, None)
        listener.join(0.001)
    return out[0]


def test_it_is_kept_until_all_is_out_again(tmp_path: Path) -> None:
    with pipe(tmp_path) as way:
        assert heard(way, tmp_path, written(way, ROWS)) == ROWS


def test_who_opens_it_after_a_failure_does_not_wait(tmp_path: Path) -> None:
    """What failed had written nothing; the byte is not one that COPY would take."""
    with pipe(tmp_path) as way:
        assert heard(way, tmp_path, written(way, b"", 1)) == b"\0"


def test_what_is_full_when_its_writer_fails_is_not_waited_for(tmp_path: Path) -> None:
    with pipe(tmp_path) as way:
        way.handed_over()
        assert way.held is not None
        os.write(way.held, b"x" * (1 << 21))
        way.tend(1, None)


def test_who_reads_rows_is_told_when_nobody_takes_them(tmp_path: Path) -> None:
    script = "import sys\nwhile True: sys.stdout.buffer.write(b'x' * 1000000)"
    with (
        pipe(tmp_path) as way,
        subprocess.Popen([sys.executable, "-c", script], stdout=way.mouth, stderr=subprocess.DEVNULL) as reader,
    ):
        way.handed_over()
        way.tend(None, None)
        assert reader.poll() is None
        way.tend(None, 1)
        assert reader.wait(60) != 0


def test_only_its_owner_may_open_it_and_nothing_of_it_stays(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()
    with pipe(tmp_path) as way:
        assert stat.S_IMODE(path_in(tmp_path).stat().st_mode) == 0o600
        assert way.origin == f"'{path_in(tmp_path).name}'"
    assert not list(tmp_path.iterdir())
    assert before == (set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set())


def test_one_without_a_name_is_a_pipe(tmp_path: Path) -> None:
    with pipe() as way:
        assert (way.origin, way.held) == ("STDIN", None)
        os.write(way.mouth, b"x")
        assert os.read(way.ear, 9) == b"x"
        way.tend(1, None)
        way.handed_over()
