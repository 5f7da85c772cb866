"""Connections to a real sshd: the ways in, how we log in, and what refuses our keys."""

from __future__ import annotations

import getpass
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom.errors import GreenroomError
from greenroom.ssh.connection import connected
from tests.integration.bastion import Bastion, bastion
from tests.integration.ssh_stage import no_agent, refused, two_hops, vpn
from tests.integration.sshd import keygen

__all__ = ["no_agent", "two_hops", "vpn"]


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
