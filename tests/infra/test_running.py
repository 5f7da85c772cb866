"""Terraform's words while it runs, and a stop in the middle of them."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from greenroom.console import Silent
from greenroom.infra import terraform
from greenroom.infra.stack import Stack

SAYS = """#!/bin/sh
trap 'echo "\\"stopping\\""; printf "the last, without an end"; exit 1' INT
printf '{"type": "one"}\\n{"type": "two"}\\n'
while :; do sleep 0.1; done
"""


def test_stop_loses_nothing_that_was_said_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's Ctrl-C may come while a message is taken in, and others have come with that."""
    program = tmp_path / "terraform"
    program.write_text(SAYS)
    program.chmod(0o755)
    monkeypatch.setattr(terraform, "PROGRAM", str(program))
    stack = cast(Stack, SimpleNamespace(module=tmp_path, variables={"PATH": "/usr/bin:/bin"}))
    taken: list[str] = []

    def heard(message: dict[str, Any]) -> None:
        if not taken:
            signal.raise_signal(signal.SIGINT)
        taken.append(message["type"])

    with pytest.raises(terraform.Stopped) as stopped:
        terraform.run(stack, ["apply"], Silent(), heard)
    assert taken == ["one", "two"]
    assert (stopped.value.done.said, stopped.value.killed) == (['"stopping"', "the last, without an end"], False)
