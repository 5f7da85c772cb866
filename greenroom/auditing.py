"""Known weaknesses of pinned packages, as pip-audit finds them; it asks a service on the internet."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenroom import shell
from greenroom.tools import tool

_NAME = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", re.MULTILINE)


@dataclass(frozen=True)
class Audit:
    """`weaknesses` by package, its version and the weakness's name; `unanswered` are packages nobody could tell of."""

    pins: str
    asked: int
    weaknesses: tuple[str, ...]
    unanswered: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Whether every package was answered for."""
        return not self.unanswered

    @property
    def told(self) -> str:
        """For a person: a scan that was not held is said to be none."""
        lines = [f"FAIL  {self.pins}: {found}" for found in self.weaknesses]
        answered = self.asked - len(self.unanswered)
        if self.unanswered:
            lines.append(
                f"NOT HELD  pip-audit {self.pins}: nothing could be learnt of {len(self.unanswered)} of "
                f"{self.asked} packages. It needs the internet: run it again where PyPI itself can be asked."
            )
        elif not self.weaknesses:
            lines.append(f"ok    pip-audit {self.pins}: {answered} packages, no known weakness")
        return "\n".join(lines)


def audit(root: Path, pins: str, service: tuple[str, ...] = ()) -> Audit:
    """Ask about every package of a file of pins. Where pip-audit gives no answer at all, none is answered.

    `service` are options of pip-audit that name another service to ask; by default it is PyPI.
    """
    words = ("--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off", *service)
    done = shell.run([tool(root, "pip-audit"), *words, "--requirement", pins], cwd=root, check=False)
    try:
        return told(pins, json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError, TypeError):
        names = _NAME.findall((root / pins).read_text(encoding="utf-8"))
        return Audit(pins, len(names), (), tuple(names))


def told(pins: str, dependencies: list[dict[str, Any]]) -> Audit:
    """What it says, in its own JSON."""
    weak = [
        f"{found['name']} {found['version']}: {weakness['id']}"
        + (f", mended in {', '.join(weakness['fix_versions'])}" if weakness.get("fix_versions") else "")
        for found in dependencies
        for weakness in found.get("vulns", ())
    ]
    return Audit(pins, len(dependencies), tuple(weak), tuple(d["name"] for d in dependencies if "skip_reason" in d))
