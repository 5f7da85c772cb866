"""Terraform's text without its comments."""

from __future__ import annotations

import re

_CODE = re.compile(
    r"""(?P<comment> (?:\#|//)[^\n]* | /\*.*?(?:\*/|\Z))
    | <<-?(?P<mark>\w+)\s*\n.*?^[ \t]*(?P=mark)[ \t]*$ # a here-document: all of it is text
    | (?P<opens>["{]) | (?P<closes>}) | [^"{}\#/<]+ | .""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_STRING = re.compile(
    r"""\\. | \$\$\{ | %%\{ | (?P<opens>[$%]\{) | (?P<closes>") | [^"\\$%]+ | .""", re.VERBOSE | re.DOTALL
)


def without_comments(text: str) -> str:
    """What stands in a string is none: neither in an ARN that ends in `/*`, nor in `"${f("//")}"`."""
    kept: list[str] = []
    within: list[str] = []  # what is open here, the innermost last
    at = 0
    while at < len(text):
        found = (_STRING if within[-1:] == ['"'] else _CODE).match(text, at)
        if found is None:  # never so: each of them ends in "any character"
            break
        if found.lastgroup == "opens":
            within.append(found[0][-1])
        elif found.lastgroup == "closes" and within:
            within.pop()
        if found.lastgroup != "comment":
            kept.append(found[0])
        at = found.end()
    return "".join(kept)
