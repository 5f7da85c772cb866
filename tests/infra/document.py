"""The commands that docs/deploy.md shows, and what one sees of each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.infra.module import ROOT

DOCUMENT = ROOT / "docs" / "deploy.md"
_STEP = re.compile(r"^### (\d+)\. .+?\n(.*?)(?=^### |^## |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"[0-9a-f]{12,}|\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Step:
    """`command` is for the shell, `seen` lines of what it prints; `...` in them stands for anything."""

    number: int
    command: str
    seen: tuple[str, ...]

    @property
    def task(self) -> str:
        """Of ours, the first that is called."""
        found = re.search(r"\./inv ([\w-]+)", self.command)
        return found[1] if found else ""

    def unseen(self, said: str) -> list[str]:
        """Lines of the document that were not printed, whatever their numbers."""
        lines = {_like(line) for line in said.splitlines()}
        return [line for line in self.seen if not any(_pattern(line).fullmatch(real) for real in lines)]


def steps() -> list[Step]:
    """In their order."""
    section = DOCUMENT.read_text(encoding="utf-8").partition("\n## The commands\n")[2]
    section = re.split(r"^## ", section, maxsplit=1, flags=re.MULTILINE)[0]
    return [_step(int(number), text) for number, text in _STEP.findall(section)]


def _step(number: int, text: str) -> Step:
    blocks = _BLOCK.findall(text)
    seen = [line for kind, block in blocks if kind == "text" for line in block.splitlines() if line.strip(" .")]
    return Step(number, "\n".join(block for kind, block in blocks if kind == "sh").strip(), tuple(seen))


def _like(line: str) -> str:
    return _NUMBER.sub("0", line.rstrip())


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in _like(line).split("...")))
