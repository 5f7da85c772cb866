"""Connections to a real sshd: what is verified, what is refused, and what a person is told."""

from __future__ import annotations

import getpass
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.ssh.connection import connected
from greenroom.ssh.dialling import Unreachable
from tests.integration.bastion import Bastion, bastion, keygen


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def vpn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    with bastion(tmp_path) as made:
        monkeypatch.setenv("HOME", str(made.home))
        yield made


@pytest.fixture
def two_hops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bastion]:
    with bastion(tmp_path, hops=2) as made:
        monkeypatch.setenv("HOME", str(made.home))
        yield made


def refused(made: Bastion, via: str | None = None, config: Path | None = None) -> str:
    with pytest.raises(GreenroomError) as caught, connected(via or made.via, config=config):
        pytest.fail("it was let in")
    return str(caught.value)


def shown(public: str) -> str:
    """As the sentence has it: kind and fingerprint."""
    said = subprocess.run(["ssh-keygen", "-l", "-f", "-"], input=public, capture_output=True, text=True, check=True)
    return f"{public.split()[0]} {said.stdout.split()[1]}"


def other_key(made: Bastion, number: int = 0) -> str:
    """A known_hosts line with a key that is not the host's."""
    keygen(made.directory / "other")
    return f"{made.servers[number].place} {' '.join((made.directory / 'other.pub').read_text().split()[:2])}"


def right_key(made: Bastion, number: int = 0, kind: str = "ed25519") -> str:
    return f"{made.servers[number].place} {made.servers[number].public(kind)}"


# --- ways in ----------------------------------------------------------------------------------------------------------


def test_alias_of_home_config_connects(vpn: Bastion) -> None:
    with connected(vpn.via) as host:
        assert host.run(["echo", "a b", "$c"]).stdout == "a b $c\n"
        assert host.label == f"{host.label.split('@')[0]}@{vpn.servers[0].address}:{vpn.servers[0].port}"
    vpn.settle()


def test_user_host_and_port_connect_with_keys_of_home(vpn: Bastion) -> None:
    vpn.config.unlink()
    server = vpn.servers[0]
    with connected(f"{_user()}@{server.address}:{server.port}") as host:
        assert host.run(["true"]).code == 0


def test_another_config_stands_in_for_home(vpn: Bastion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    with connected(vpn.via, config=vpn.config) as host:
        assert host.run(["true"]).code == 0


def test_two_hops_connect(two_hops: Bastion) -> None:
    with connected(two_hops.via) as host:
        assert host.run(["echo", "inner"]).stdout == "inner\n"
        assert str(two_hops.servers[1].port) in host.label
    two_hops.settle()


def test_proxy_command_connects_and_ends_with_us(vpn: Bastion) -> None:
    vpn.configure('ProxyCommand bash -c "exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3; kill $!"')
    with connected(vpn.via) as host:
        assert host.run(["true"]).code == 0
    vpn.settle()


def test_dead_proxy_command_says_why(vpn: Bastion) -> None:
    vpn.configure("ProxyCommand sh -c 'echo no way through >&2; exit 1'")
    assert refused(vpn) == (
        f"the ProxyCommand of {vpn.servers[0].address}:{vpn.servers[0].port} has ended: no way through\n"
        "  Try it: sh -c 'echo no way through >&2; exit 1'"
    )


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_host_known_by_one_kind_of_key_is_asked_for_that_kind(kind: str, vpn: Bastion) -> None:
    vpn.know(right_key(vpn, kind=kind))
    with connected(vpn.via) as host:
        assert host.run(["true"]).code == 0


def test_hashed_alias_and_second_key_of_a_kind_are_known(vpn: Bastion) -> None:
    vpn.know(other_key(vpn), right_key(vpn))
    with connected(vpn.via):
        pass
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(vpn.known_hosts)], check=True, capture_output=True)
    assert "127.0.0.1" not in vpn.known_hosts.read_text()
    with connected(vpn.via):
        pass
    vpn.know(f"the-vpn {vpn.servers[0].public()}")
    vpn.configure("HostKeyAlias the-vpn")
    with connected(vpn.via):
        pass


# --- host keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1])
def test_unknown_host_is_refused_on_every_hop(number: int, two_hops: Bastion) -> None:
    server = two_hops.servers[number]
    two_hops.know(right_key(two_hops, 1 - number))
    assert refused(two_hops) == (
        f"the key of {server.address}:{server.port} is not known here: {shown(server.public())}. Nobody can tell "
        "whether it is that host.\n"
        "  Compare it with what the host's owner says. If it is the same, answer yes once to: ssh inner"
    )
    assert len(two_hops.known_hosts.read_text().splitlines()) == 1


@pytest.mark.parametrize("number", [0, 1])
def test_changed_host_key_is_refused_on_every_hop(number: int, two_hops: Bastion) -> None:
    server = two_hops.servers[number]
    two_hops.know(right_key(two_hops, 1 - number), other_key(two_hops, number))
    before = two_hops.known_hosts.read_text()
    assert refused(two_hops) == (
        f"{server.address}:{server.port} shows another key than {two_hops.known_hosts}:2 has for it: "
        f"{shown(server.public())}. It may be an attack, or a host that was set up anew.\n"
        "  Compare it with what the host's owner says. Only if it is the same: "
        f"ssh-keygen -R '{server.place}' -f {two_hops.known_hosts}, then once: ssh inner"
    )
    assert two_hops.known_hosts.read_text() == before


def test_revoked_key_is_refused_though_it_is_known(vpn: Bastion) -> None:
    vpn.know(right_key(vpn), f"@revoked * {vpn.servers[0].public()}")
    assert refused(vpn) == (
        f"127.0.0.1:{vpn.servers[0].port} shows a key that {vpn.known_hosts}:2 marks as revoked: nothing was sent to "
        "it.\n  Ask the host's owner what happened, and for the key that it has now."
    )


def test_certificate_authority_makes_no_key_known(vpn: Bastion) -> None:
    vpn.know(f"@cert-authority * {vpn.servers[0].public()}")
    assert f"({vpn.known_hosts}:1 trusts a certificate authority, which only ssh can ask.)" in refused(vpn)


# --- reaching it ------------------------------------------------------------------------------------------------------


def test_closed_port_says_vpn(vpn: Bastion) -> None:
    vpn.servers[0].stop()
    assert refused(vpn) == (
        f"cannot reach 127.0.0.1:{vpn.servers[0].port} within 5 s: is the VPN on? (connection refused)\n"
        "  Switch the VPN on, or correct `via`, then run again."
    )


def test_unknown_name_says_vpn(vpn: Bastion) -> None:
    assert refused(vpn, "nobody.invalid") == (
        "cannot reach nobody.invalid:22 within 5 s: is the VPN on? (its name is unknown here)\n"
        "  Switch the VPN on, or correct `via`, then run again."
    )


def test_silent_host_is_given_up_in_time(vpn: Bastion) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:  # the queue is full: further connections get no answer
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        vpn.configure(f"Port {full.getsockname()[1]}", "ConnectTimeout 1")
        began = time.monotonic()
        told = refused(vpn)
        assert time.monotonic() - began < 4
        for sock in waiting:
            sock.close()
    assert "within 1 s: is the VPN on? (no answer)\n" in told


def test_something_else_than_ssh_is_named(vpn: Bastion) -> None:
    with _hanging_up() as port:
        vpn.configure(f"Port {port}")
        told = refused(vpn)
    assert told.startswith(f"127.0.0.1:{port} answers, but not as an SSH server that lets anybody in: ")


def test_inner_host_that_is_down_is_named(two_hops: Bastion) -> None:
    two_hops.servers[1].stop()
    told = refused(two_hops)
    place = f"127.0.0.1:{two_hops.servers[1].port}"
    assert told.startswith(f"cannot reach {place} through 127.0.0.1 (it says: "), told
    assert told.endswith("\n  Check ProxyJump and HostName in ssh_config, and whether that host is up.")


def test_outer_host_that_forwards_nothing_is_named(tmp_path: Path) -> None:
    with bastion(tmp_path, options=["AllowTcpForwarding no"]) as made:
        made.configure("ProxyJump bastion", alias="beyond")
        with pytest.raises(Unreachable) as caught, connected("beyond", config=made.config):
            pass
    assert str(caught.value).startswith("cannot reach beyond:22 through 127.0.0.1 (forwarding is prohibited there).")


# --- logging in -------------------------------------------------------------------------------------------------------


def test_wrong_key_is_named(vpn: Bastion) -> None:
    keygen(vpn.directory / "host" / "stranger")
    vpn.config.write_text(vpn.config.read_text().replace(str(vpn.key), str(vpn.directory / "host" / "stranger")))
    label = f"{_user()}@127.0.0.1:{vpn.servers[0].port}"
    assert refused(vpn) == (
        f"{label} takes none of our keys (tried: {vpn.directory}/host/stranger).\n"
        "  Check user and key with: ssh bastion. A key of yours must stand in the user's authorized_keys there."
    )


def test_no_key_at_all_is_named(vpn: Bastion) -> None:
    vpn.key.unlink()
    assert "takes none of our keys (there is none to try)." in refused(vpn)


def test_locked_key_without_agent_is_named(vpn: Bastion) -> None:
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "hush hush", "-f", str(vpn.key)], check=True)
    label = f"{_user()}@127.0.0.1:{vpn.servers[0].port}"
    assert refused(vpn) == (
        f"{label} takes none of our keys (there is none to try), and {vpn.key} has a passphrase, which no agent "
        f"holds.\n  Type `ssh-add {vpn.key}`, then run again."
    )


def test_agent_holds_the_key_with_the_passphrase(vpn: Bastion, monkeypatch: pytest.MonkeyPatch) -> None:
    with _agent(vpn) as sock:
        monkeypatch.setenv("SSH_AUTH_SOCK", sock)
        with connected(vpn.via) as host:  # IdentitiesOnly: the file names which of the agent's
            assert host.run(["true"]).code == 0


def test_host_that_wants_passwords_is_named(tmp_path: Path) -> None:
    options = ["PubkeyAuthentication no", "KbdInteractiveAuthentication no", "PasswordAuthentication yes"]
    with bastion(tmp_path, options=options) as made:
        with pytest.raises(GreenroomError) as caught, connected(made.via, config=made.config):
            pass
        label = f"{_user()}@127.0.0.1:{made.servers[0].port}"
    assert str(caught.value) == (
        f"{label} takes only password, and Greenroom never asks for a password.\n"
        "  Have a key put into the user's authorized_keys there."
    )


def test_second_factor_is_named(tmp_path: Path) -> None:
    options = ["AuthenticationMethods publickey,password", "PasswordAuthentication yes"]
    with bastion(tmp_path, options=options) as made:
        told = refused(made, config=made.config)
    assert " wants password besides a key, and Greenroom never asks for a password." in told


def test_circle_of_jumps_is_refused(vpn: Bastion) -> None:
    vpn.configure("ProxyJump bastion")
    assert refused(vpn) == (
        "ProxyJump leads in a circle: bastion -> bastion.\n"
        "  Write `ProxyJump none` under the first hop's Host in ~/.ssh/config."
    )


def _user() -> str:
    return getpass.getuser()


@contextmanager
def _hanging_up() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            try:
                accepted = server.accept()[0]
                accepted.sendall(b"220 mail.example.com ready\r\n")
                accepted.close()
            except OSError:
                return

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


@contextmanager
def _agent(vpn: Bastion) -> Iterator[str]:
    """An agent with our key; the file itself gets a passphrase."""
    said = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"SSH_AUTH_SOCK=([^;]+).*SSH_AGENT_PID=(\d+)", said, re.DOTALL)
    assert found
    try:
        subprocess.run(
            ["ssh-add", "-q", str(vpn.key)],
            env={**os.environ, "SSH_AUTH_SOCK": found[1]},
            check=True,
            capture_output=True,
        )
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "hush hush", "-f", str(vpn.key)], check=True)
        yield found[1]
    finally:
        os.kill(int(found[2]), signal.SIGTERM)
