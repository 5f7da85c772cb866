"""Files from a real host: whole, resumed, and private here."""

from __future__ import annotations

import hashlib
import random
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.ssh import transfer
from greenroom.ssh.connection import connected
from greenroom.ssh.dialling import Unreachable
from tests.integration.bastion import Bastion, bastion

SIZE = 60_000_000  # more than can be under way between two cuts


@pytest.fixture
def vpn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    with bastion(tmp_path) as made:
        monkeypatch.setenv("HOME", str(made.home))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        yield made
        made.settle()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A file on the host; no part of it looks like another."""
    path = tmp_path / "on the host's disk.dump"
    path.write_bytes(random.Random(7).randbytes(SIZE))
    return path


def same(one: Path, other: Path) -> bool:
    return hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()


def test_file_arrives_whole_and_private(vpn: Bastion, archive: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    transfer.fetch(vpn.via, str(archive), tmp_path / "here", lambda done, total: told.append((done, total)))
    assert same(archive, tmp_path / "here") and (tmp_path / "here").stat().st_mode & 0o777 == 0o600
    assert told[-1] == (SIZE, SIZE) and told == sorted(told)


def test_empty_file_arrives(vpn: Bastion, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    transfer.fetch(vpn.via, str(tmp_path / "empty"), tmp_path / "here", lambda *_: None)
    assert (tmp_path / "here").read_bytes() == b""


def test_cut_transfer_goes_on_by_itself(vpn: Bastion, archive: Path, tmp_path: Path) -> None:
    told: list[int] = []
    cuts = 0

    def cut_twice(done: int, total: int) -> None:
        nonlocal cuts
        told.append(done)
        if done > (cuts + 1) * SIZE / 3 and cuts < 2:
            cuts += vpn.cut()

    transfer.fetch(vpn.via, str(archive), tmp_path / "here", cut_twice)
    assert cuts == 2 and same(archive, tmp_path / "here")
    assert told == sorted(told)  # what was here was not brought again


def test_interrupted_transfer_goes_on_in_the_next_call(vpn: Bastion, archive: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done > SIZE / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer.fetch(vpn.via, str(archive), tmp_path / "here", stop)
    had, told = (tmp_path / "here").stat().st_size, []
    assert SIZE / 2 < had < SIZE
    transfer.fetch(vpn.via, str(archive), tmp_path / "here", lambda done, total: told.append(done))
    assert told[0] > had and same(archive, tmp_path / "here")


@pytest.mark.parametrize("content", [b"something else" * 1000, b"x" * (SIZE + 5)], ids=["other", "longer"])
def test_what_is_no_beginning_of_it_is_brought_anew(
    content: bytes, vpn: Bastion, archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "here").write_bytes(content)
    (tmp_path / "here").chmod(0o644)
    transfer.fetch(vpn.via, str(archive), tmp_path / "here", lambda *_: None)
    assert same(archive, tmp_path / "here") and (tmp_path / "here").stat().st_mode & 0o777 == 0o600


def test_file_that_is_here_is_compared_and_not_brought(vpn: Bastion, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(archive.read_bytes())
    told: list[int] = []
    transfer.fetch(vpn.via, str(archive), tmp_path / "here", lambda done, total: told.append(done))
    assert told == []


def test_file_that_changes_meanwhile_is_refused(vpn: Bastion, archive: Path, tmp_path: Path) -> None:
    vpn.program("sha256sum", f"cat >/dev/null; echo {'0' * 64}  -")
    with pytest.raises(GreenroomError) as caught:
        transfer.fetch(vpn.via, str(archive), tmp_path / "here", lambda *_: None)
    assert str(caught.value).startswith(f"{archive} of ")
    assert str(caught.value).endswith(
        " did not arrive whole: its checksum is another one here.\n"
        "  Run it again; if it happens twice, the disk here or there is suspect."
    )
    assert (tmp_path / "here").stat().st_size == 0


def test_host_without_sha256sum_has_another_program(vpn: Bastion, archive: Path, tmp_path: Path) -> None:
    vpn.program("sha256sum", None)
    transfer.fetch(vpn.via, str(archive), tmp_path / "here", lambda *_: None)
    assert same(archive, tmp_path / "here")
    vpn.program("openssl", None)
    with pytest.raises(GreenroomError, match="has no program for SHA-256"):
        transfer.fetch(vpn.via, str(archive), tmp_path / "here", lambda *_: None)


def test_missing_file_is_named(vpn: Bastion, tmp_path: Path) -> None:
    with pytest.raises(GreenroomError, match=r"^/nowhere cannot be read on .*(No such file|nonexistent)"):
        transfer.fetch(vpn.via, "/nowhere", tmp_path / "here", lambda *_: None)


def test_full_disk_here_is_named(vpn: Bastion, archive: Path, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, hard))
    try:
        with pytest.raises(GreenroomError) as caught:
            transfer.fetch(vpn.via, str(archive), tmp_path / "here", lambda *_: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value) == (
        f"{tmp_path / 'here'} cannot be written: File too large.\n  Make room there, then run again."
    )
    transfer.fetch(vpn.via, str(archive), tmp_path / "here", lambda *_: None)
    assert same(archive, tmp_path / "here")


def test_host_that_stays_away_is_given_up(
    vpn: Bastion, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "PAUSES_SECONDS", (0.1, 0.1))

    def stop(done: int, total: int) -> None:
        vpn.servers[0].stop()

    with pytest.raises(Unreachable, match="connection refused"):
        transfer.fetch(vpn.via, str(archive), tmp_path / "here", stop)
    vpn.servers[0].start()
    transfer.fetch(vpn.via, str(archive), tmp_path / "here", lambda *_: None)
    assert same(archive, tmp_path / "here")


def test_private_directory_outlives_a_cut_in_the_transfer(vpn: Bastion, tmp_path: Path) -> None:
    cuts: list[int] = []

    def cut(done: int, total: int) -> None:
        if done > total / 2 and not cuts:
            cuts.append(vpn.cut())

    with connected(vpn.via) as host, host.private_directory() as path:
        host.run(["sh", "-c", 'head -c 20000000 /dev/urandom >"$1/dump"', "x", path])
        transfer.fetch(vpn.via, f"{path}/dump", tmp_path / "here", cut)
        assert cuts == [2] and same(Path(path) / "dump", tmp_path / "here")
    assert not Path(path).exists()
