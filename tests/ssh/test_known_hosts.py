"""known_hosts lines: which are about a host, and which kinds of keys to ask for."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path

import pytest

from greenroom.ssh.known_hosts import Known, algorithms, known
from greenroom.ssh.route import Hop

KEY = base64.b64encode(b"a key").decode()
ALL = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")


def hop(file: Path, name: str = "vpn.example.com", port: int = 22) -> Hop:
    return Hop("vpn.example.com", port, "me", name, (file, file.with_name("not there")))


def lines(tmp_path: Path, content: str, name: str = "vpn.example.com", port: int = 22) -> list[Known]:
    file = tmp_path / "known_hosts"
    file.write_text(content)
    return known(hop(file, name, port))


@pytest.mark.parametrize(
    ("names", "name"),
    [
        ("vpn.example.com", "vpn.example.com"),
        ("other,VPN.example.com", "vpn.example.com"),
        ("*.example.com", "vpn.example.com"),
        ("vpn?example.com", "vpn.example.com"),
        ("[vpn.example.com]:2222", "[vpn.example.com]:2222"),
        ("[*]:2222", "[vpn.example.com]:2222"),
    ],
)
def test_line_is_about_the_host(names: str, name: str, tmp_path: Path) -> None:
    (found,) = lines(tmp_path, f"# comment\n\n{names} ssh-ed25519 {KEY} me@here\n", name)
    assert found == Known(tmp_path / "known_hosts", 3, "", "ssh-ed25519", b"a key")
    assert str(found) == f"{tmp_path}/known_hosts:3"


@pytest.mark.parametrize(
    "line",
    [
        f"other.example.com ssh-ed25519 {KEY}",
        f"*.example.com,!vpn.example.com ssh-ed25519 {KEY}",
        f"vpn.exampleXcom ssh-ed25519 {KEY}",
        f"[v]pn.example.com ssh-ed25519 {KEY}",
        f"#vpn.example.com ssh-ed25519 {KEY}",
        "vpn.example.com ssh-ed25519 not!base64",
        "vpn.example.com ssh-ed25519",
        f"|1|broken ssh-ed25519 {KEY}",
        f"|1|YQ==|YQ== ssh-ed25519 {KEY}",
        f"@revoked ssh-ed25519 {KEY}",
    ],
)
def test_line_is_not_about_the_host(line: str, tmp_path: Path) -> None:
    assert lines(tmp_path, line) == []


def test_markers_are_kept(tmp_path: Path) -> None:
    found = lines(tmp_path, f"@revoked * ssh-ed25519 {KEY}\n@cert-authority *.com ssh-rsa {KEY}\n")
    assert [(line.marker, line.kind) for line in found] == [("@revoked", "ssh-ed25519"), ("@cert-authority", "ssh-rsa")]


def test_port_of_its_own_may_be_known_by_the_plain_name(tmp_path: Path) -> None:
    content = f"vpn.example.com ssh-ed25519 {KEY}\n"
    assert lines(tmp_path, content, "[vpn.example.com]:2222", 2222) == lines(tmp_path, content) != []


@pytest.mark.parametrize("port", [22, 2222])
def test_alias_is_not_known_by_the_plain_name(port: int, tmp_path: Path) -> None:
    """Whoever gives one wants that host's key and no other."""
    content = f"vpn.example.com,[vpn.example.com]:{port} ssh-ed25519 {KEY}\n"
    assert lines(tmp_path, content, "the-vpn", port) == []
    assert len(lines(tmp_path, f"the-vpn ssh-ed25519 {KEY}\n", "the-vpn", port)) == 1


def test_known_kinds_are_asked_for_first(tmp_path: Path) -> None:
    found = lines(tmp_path, f"@revoked * ssh-ed25519 {KEY}\n* ssh-rsa {KEY}\n* ssh-dss {KEY}\n")
    assert algorithms(found, ALL) == ("rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519", "ecdsa-sha2-nistp256")
    assert algorithms([], ALL) == ALL


def test_hashed_name_is_found(tmp_path: Path) -> None:
    salt, name = b"twenty bytes of salt", "[vpn.example.com]:2222"
    parts = (salt, hmac.digest(salt, name.encode(), "sha1"))
    hashed = "|1|" + "|".join(base64.b64encode(part).decode() for part in parts)
    assert len(lines(tmp_path, f"{hashed} ssh-ed25519 {KEY}", name)) == 1
    assert lines(tmp_path, f"{hashed} ssh-ed25519 {KEY}") == []
