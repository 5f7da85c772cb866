"""Programs on a real host: their secrets, their output, and that they end when nobody is there any more."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.secret import Secret
from greenroom.ssh.connection import connected
from greenroom.ssh.dialling import Unreachable
from greenroom.ssh.host import Host
from tests.integration.bastion import Bastion, bastion
from tests.integration.sshd import until

PLANTED = "pl4nted'\"$`\\ wörd\nof two lines"

# connects, starts what its arguments say with a secret, says so, and waits
STARTER = """
import sys, time
from greenroom.secret import Secret
from greenroom.ssh.connection import connected
with connected(sys.argv[1]) as host, host.running(sys.argv[2:], secrets={"PGPASSWORD": Secret("x")}) as remote:
    print(remote.read(100).decode(), flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def vpn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bastion]:
    with bastion(tmp_path_factory.mktemp("vpn")) as made:
        yield made


@pytest.fixture
def host(vpn: Bastion, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Nothing is left on it after any test."""
    monkeypatch.setenv("HOME", str(vpn.home))
    with connected(vpn.via) as made:
        yield made
    vpn.settle()


def test_words_and_secrets_and_input_arrive_as_they_are(host: Host) -> None:
    words = ["sh", "-c", 'printf "%s|" "$@" "$PGPASSWORD"; cat', "x", "a b", "", "$(id)", "new\nline", "'q\""]
    found = host.run(words, secrets={"PGPASSWORD": Secret(PLANTED)}, stdin=b"in\\put\0\xff 'x' %s\n")
    assert found.stdout == f"a b||$(id)|new\nline|'q\"|{PLANTED}|in\\put\0\N{REPLACEMENT CHARACTER} 'x' %s\n"
    assert (found.code, found.stderr, found.argv) == (0, "", tuple(words))


def test_secret_is_in_no_command_line_while_the_program_runs(vpn: Bastion, host: Host) -> None:
    with host.running(["sh", "-c", "echo ready; sleep 30"], secrets={"PGPASSWORD": Secret("pl4nted")}) as remote:
        assert remote.read(100) == b"ready\n"
        until(lambda: "sleep 30" in vpn.running(), "it does not run")
        lines = vpn.running()
        everything = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert "pl4nted" not in everything and "pl4nted" not in str(lines)


def test_failing_program_is_told_with_its_last_words(host: Host) -> None:
    with pytest.raises(GreenroomError) as caught:
        host.run(["sh", "-c", "echo first >&2; echo 'no such table' >&2; exit 3"])
    assert str(caught.value) == (
        "`sh -c 'echo first >&2; echo '\"'\"'no such table'\"'\"' >&2; exit 3'` on "
        f"{host.label} failed with exit code 3: no such table"
    )
    assert host.run(["false"], check=False).code == 1
    assert host.run(["sh", "-c", "kill -KILL $$"], check=False).code == 137
    assert host.run(["pg_dump", "--version"], check=False).code == 127


def test_program_that_takes_too_long_is_ended(host: Host) -> None:
    began = time.monotonic()
    with pytest.raises(GreenroomError) as caught:
        host.run(["sleep", "30"], timeout=0.3)
    assert str(caught.value) == f"`sleep 30` on {host.label} did not end within 0.3 s."
    assert time.monotonic() - began < 5


def test_output_and_errors_in_bulk_do_not_stop_each_other(host: Host) -> None:
    script = "head -c 30000000 /dev/zero | tr '\\0' e >&2; head -c 40000000 /dev/zero; echo last words >&2; exit 4"
    with host.running(["sh", "-c", script]) as remote:
        total = sum(len(piece) for piece in iter(lambda: remote.read(1 << 18), b""))
        assert remote.wait() == 4
    assert total == 40_000_000
    assert remote.stderr.endswith("elast words\n") and len(remote.stderr) == 64 * 1024


@pytest.mark.full
def test_keys_are_changed_in_a_long_stream(host: Host) -> None:
    with host.running(["sh", "-c", "head -c 1300000000 /dev/zero"]) as remote:
        total = sum(len(piece) for piece in iter(lambda: remote.read(1 << 20), b""))
        assert (total, remote.wait()) == (1_300_000_000, 0)


def test_program_and_its_children_end_with_the_block(vpn: Bastion, host: Host) -> None:
    script = "trap '' HUP; (sleep 61 | cat) & echo ready; while :; do echo more; done"
    with host.running(["sh", "-c", script]) as remote:
        assert remote.read(5) == b"ready"
        until(lambda: "sleep 61" in vpn.running(), "it does not run")
    vpn.settle(5)


@pytest.mark.full
def test_program_that_ignores_being_asked_is_killed(vpn: Bastion, host: Host) -> None:
    with host.running(["sh", "-c", "trap '' TERM; echo ready; sleep 62; sleep 62"]) as remote:
        assert remote.read(10) == b"ready\n"
    vpn.settle(2)


def test_program_ends_when_our_process_is_killed(vpn: Bastion) -> None:
    words = [sys.executable, "-c", STARTER, vpn.via, "sh", "-c", "echo ready; sleep 63"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "HOME": str(vpn.home)}) as ours:
        assert ours.stdout and ours.stdout.readline() == b"ready\n"
        until(lambda: "sleep 63" in vpn.running(), "it does not run")
        ours.kill()
    vpn.settle()


def test_program_ends_when_the_connection_is_cut(vpn: Bastion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(vpn.home))
    with connected(vpn.via) as host, host.running(["sh", "-c", "head -c 1000 /dev/zero; sleep 64"]) as remote:
        assert len(remote.read(1000)) == 1000
        assert vpn.cut() == 1
        for attempt in (lambda: remote.read(1000), remote.wait, lambda: host.run(["true"])):
            with pytest.raises(Unreachable) as caught:
                attempt()
            assert str(caught.value) == (
                f"the connection to {host.label} was lost.\n  Is the VPN still on? Run it again."
            )
    vpn.settle()


def test_stream_that_is_cut_is_no_end(vpn: Bastion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(vpn.home))
    with connected(vpn.via) as host, host.running(["cat", "/dev/zero"]) as remote:
        remote.read(1 << 20)
        vpn.cut()
        with pytest.raises(Unreachable):
            b"".join(iter(lambda: remote.read(1 << 20), b""))
    vpn.settle()


def test_host_without_sessions_to_spare_is_named(tmp_path: Path) -> None:
    with bastion(tmp_path, options=["MaxSessions 1"]) as made, connected(made.via, config=made.config) as host:
        with host.running(["sleep", "30"]), pytest.raises(GreenroomError) as caught:
            host.run(["true"])
        assert str(caught.value).startswith(f"{host.label} opens no further session (MaxSessions): ")


def test_host_without_setsid_ends_programs_too(vpn: Bastion, host: Host) -> None:
    vpn.program("setsid", None)
    try:
        with host.running(["sh", "-c", "echo ready; exec sleep 65"]) as remote:
            assert remote.read(10) == b"ready\n"
        until(lambda: not vpn.running(), lambda: str(vpn.running()))
    finally:
        (vpn.programs / "setsid").symlink_to("/usr/bin/setsid")
