"""The bastion's ssh_config, as OpenSSH and we read it, wherever the checkout is."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from greenroom.compose import bastion
from greenroom.compose.project import Port
from greenroom.ssh.route import route


@pytest.mark.parametrize("name", ["plain", "two words", "it's", 'my "own"', "100%done", "[a]*"])
def test_ssh_config_names_the_files_of_any_checkout(name: str, tmp_path: Path) -> None:
    port = Port(service=bastion.SERVICE, host="127.0.0.1", number=2222, inside=2222)
    project: Any = SimpleNamespace(root=tmp_path / name, ports=[port])
    config = bastion.prepare(project)
    assert config
    told = bastion.way(config)
    including = tmp_path / "config"
    including.write_text(f"{told[told.index('Include') :].splitlines()[0]}\n")
    key, known_hosts = config.with_name("key"), config.with_name("known_hosts")
    (hop,) = route(bastion.ALIAS, including)
    assert (hop.label, hop.identity_files, hop.known_hosts[0]) == ("bastion@127.0.0.1:2222", (key,), known_hosts)
    argv = ["ssh", "-F", str(including), "-G", bastion.ALIAS]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.replace("%%", "%").splitlines()
    assert {"port 2222", f"identityfile {key}", f"userknownhostsfile {known_hosts}"} <= set(lines)


@pytest.mark.parametrize(("number", "place"), [(22, "127.0.0.1"), (2222, "[127.0.0.1]:2222")])
def test_its_key_is_known_under_the_name_that_ssh_looks_for(number: int, place: str, tmp_path: Path) -> None:
    port = Port(service=bastion.SERVICE, host="127.0.0.1", number=number, inside=2222)
    project: Any = SimpleNamespace(root=tmp_path, ports=[port])
    config = bastion.prepare(project)
    assert config
    assert config.with_name("known_hosts").read_text().startswith(f"{place} ssh-ed25519 ")
    (hop,) = route(bastion.ALIAS, config)
    assert hop.known_as == place
