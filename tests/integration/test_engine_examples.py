"""The worked examples and the policy of docs/engines.md, as they stand there; programs play DBLab's and Neon's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from greenroom.config import CommandTarget
from tests.integration.copying_scripts import NAME, ROOT, acquired, script
from tests.integration.sources import state

__all__ = ["state"]
DBLAB = r"""
case "$1 $2" in
"clone create") shift 2; printf '%s\n' "$@" > created; echo "ID: $6"; echo "Connection string: host=$HOST" ;;
"clone status") echo '{"id": "'$3'", "db": {"host": "127.0.0.1", "port": "5433", "password": ""}}' ;;
"clone list") test -e created && echo '[{"id": "'$(sed -n 6p created)'"}]' || echo '[]' ;;
"clone destroy") test "$(sed -n 6p created)" = "$3" && rm created && echo destroyed ;;
esac
"""
NEON = r"""
case "$1 $2" in
"branches create") echo "$4 $6" > created; echo "| id | name |" ;;
"branches list") test -e created && echo '[{"name": "'$(cut -d' ' -f1 created)'"}]' || echo '[]' ;;
"branches delete") rm created ;;
"connection-string "*) echo "postgresql://shop_owner:pl4nted@ep-x.eu.example/shop?sslmode=require" ;;
esac
"""


def example(name: str) -> str:
    """The script of that name."""
    text = (ROOT / "docs" / "engines.md").read_text()
    found = re.search(rf"`ci/{name}`.*?```sh\n(.*?)```", text, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize(("engine", "program", "text"), [("dblab", "dblab", DBLAB), ("neon", "neonctl", NEON)])
def test_worked_example_acquires_and_releases(
    engine: str, program: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("jq") or not shutil.which("openssl"):
        assert "CI" not in os.environ, "CI must have jq and openssl"
        pytest.skip("the examples use jq and openssl, and one of them is not on this machine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    script(tmp_path / program, text)
    for verb in ("acquire", "release"):
        (tmp_path / f"{engine}-{verb}").write_text(example(f"{engine}-{verb}"))
        (tmp_path / f"{engine}-{verb}").chmod(0o755)
    words = [f"./{engine}-acquire", "{name}", "{until}"]
    wanted = CommandTarget(kind="command", acquire=words, release=[f"./{engine}-release", "{name}"])
    for _ in range(2):
        with acquired(wanted) as copy:
            assert (tmp_path / "created").exists() and NAME in (tmp_path / "created").read_text()
            assert copy.address.database == "shop" and copy.address.password
        assert copy.dropped and not (tmp_path / "created").exists()
    nothing = subprocess.run([f"./{engine}-release", NAME], capture_output=True, text=True)
    assert nothing.returncode == 0, nothing.stderr


def test_policy_of_the_documentation_allows_every_call_that_is_made() -> None:
    text = (ROOT / "docs" / "engines.md").read_text()
    found = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert found
    policy = json.loads(found[1])
    allowed = {action for statement in policy["Statement"] for action in as_list(statement["Action"])}
    called = set()
    for file in (ROOT / "greenroom" / "postgres" / "engines").glob("*.py"):
        called |= set(re.findall(r"\b(?:describe|restore|create|delete)_db_\w+", file.read_text()))
    assert called and {f"rds:{camel(name)}" for name in called} <= allowed
    assert {"rds:AddTagsToResource", "ssm:GetParameter"} <= allowed
    for statement in policy["Statement"]:
        if any(action.startswith("rds:Delete") for action in as_list(statement["Action"])):
            assert statement["Condition"] == {"Null": {"aws:ResourceTag/greenroom-lease": "false"}}
            assert all(":greenroom-" in resource for resource in statement["Resource"])


def as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def camel(name: str) -> str:
    """`create_db_instance` as IAM spells it."""
    words = [word.upper() if word == "db" else word.capitalize() for word in name.split("_")]
    return "".join(words)
