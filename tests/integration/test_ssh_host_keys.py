"""Keys of hosts: which are known, which are refused on every hop, and what is said of them."""

from __future__ import annotations

import subprocess

import pytest

from greenroom.ssh.connection import connected
from tests.integration.bastion import Bastion
from tests.integration.ssh_stage import no_agent, refused, two_hops, vpn
from tests.integration.sshd import keygen

__all__ = ["no_agent", "two_hops", "vpn"]


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
