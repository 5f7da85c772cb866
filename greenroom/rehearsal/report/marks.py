"""GitHub's Markdown, in which nothing of the document is markup: spans, fences, tables, and what was left out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from greenroom.rehearsal.report import words
from greenroom.rehearsal.report.limits import Limits

_SPECIAL = re.compile(r"([\\`*\[\]<>|~#&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_MENTION = re.compile(r"@(?=\w)")


def code(text: str, length: int) -> str:
    """A code span that holds anything: backticks inside are fenced by longer ones."""
    shown = words.cut(words.clean(text).strip(), length) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    gap = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{fence}{gap}{shown}{gap}{fence}"


def text(given: str, limits: Limits) -> str:
    """Text of the document as text: no markup, no HTML, and nobody is called by a mention."""
    escaped = _SPECIAL.sub(r"\\\1", words.cut(words.clean(given), limits.characters))
    return _MENTION.sub("@<!-- -->", escaped)


def html(given: str, limits: Limits) -> str:
    """The same between HTML's own tags, where a backslash escapes nothing."""
    shown = words.cut(words.clean(given), limits.characters)
    for letter in "&<>\"'`*_[]|\\@":
        shown = shown.replace(letter, f"&#{ord(letter)};") if letter != "&" else shown.replace("&", "&amp;")
    return shown


def html_code(given: str, limits: Limits) -> str:
    """A code span there."""
    return f"<code>{html(given, limits)}</code>"


def fence(given: str, language: str, limits: Limits) -> list[str]:
    """A block of code; none where there is no code."""
    if not given:
        return []
    shown = words.cut("\n".join(map(words.clean, given.split("\n"))), 3 * limits.characters)
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    return [f"{ticks}{language}\n{shown}\n{ticks}"]


def table(head: list[str], rows: Iterable[list[str]], align: str) -> str:
    """`align` is a letter a column, l or r. A pipe would end a cell, in a code span too."""
    rule = [":--" if side == "l" else "--:" for side in align]
    inside = [[cell.replace("|", "\\|") for cell in cells] for cells in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *inside])


def more(total: int, shown: int, what: str) -> list[str]:
    """How many of them are left out, where any are."""
    return (
        [f"_{words.counted(total - shown, f'more {what}')} left out here; rehearsal.json has them all._"]
        if total > shown
        else []
    )
