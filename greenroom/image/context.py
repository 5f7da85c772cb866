"""What of the checkout goes into the image and is in no commit: files that git ignores or does not track.

BuildKit takes what the Dockerfile copies and its ignore file lets in, and asks no git. The ignore file's patterns are
read as its own library does (moby/patternmatcher): the last that matches a path, or a directory above it, decides.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from greenroom import git
from greenroom.config import Config

_CONTINUED = re.compile(r"\\[ \t]*\n")
_COMMENT = re.compile(r"^[ \t]*#.*\n?", re.MULTILINE)
_INSTRUCTION = re.compile(r"^[ \t]*(COPY|ADD|RUN)[ \t]+(.+)$", re.MULTILINE | re.IGNORECASE)
_FLAGS = re.compile(r"(?:--\S+\s+)*")
_MOUNT = re.compile(r"--mount=(\S+)")
_ELSEWHERE = re.compile(r"<<|\w+://|git@")  # written in the Dockerfile itself, or fetched
_UNKNOWN = re.compile(r"[*?\[$\\]")  # a pattern, or a variable
_TOKEN = re.compile(r"\*\*/?|\*|\?|\\.|\[[^\]]+\]|.", re.DOTALL)
_NOTHING = re.compile(r"(?!)")


def strangers(config: Config) -> list[str]:
    """Their names, from the context's directory; none where that is in no repository."""
    text = (config.root / config.image.dockerfile).read_text(encoding="utf-8", errors="replace")
    sources = sorted(set(copied(text)))
    directory = config.root / config.image.context
    found = git.untracked(directory, sources) if sources else []
    patterns = _patterns(ignore_file(config)) if found else []
    return [name for name in found if not left_out(name.rstrip("/"), patterns)]


def ignore_file(config: Config) -> Path:
    """The one that BuildKit reads: beside the Dockerfile, else the context's."""
    own = config.root / f"{config.image.dockerfile}.dockerignore"
    return own if own.is_file() else config.root / config.image.context / ".dockerignore"


def copied(dockerfile: str) -> Iterator[str]:
    """The paths of the context that it copies or mounts: of a pattern or a variable the directory before it."""
    text = _CONTINUED.sub(" ", _COMMENT.sub("", dockerfile))
    for instruction, words in _INSTRUCTION.findall(text):
        flags = _FLAGS.match(words)
        assert flags
        if instruction.upper() == "RUN":
            mounts = [dict(_pair(one) for one in mount.split(",")) for mount in _MOUNT.findall(flags[0])]
            bound = [mount for mount in mounts if mount.get("type", "bind") == "bind" and "from" not in mount]
            yield from (_known(mount.get("source") or mount.get("src") or ".") for mount in bound)
        elif "--from=" not in flags[0]:
            yield from (_known(source) for source in _sources(words[flags.end() :]) if not _ELSEWHERE.match(source))


def left_out(path: str, patterns: list[tuple[re.Pattern[str], bool]]) -> bool:
    """Whether the ignore file keeps this path out of the build. A pattern comes with whether it lets in again (`!`).

    As BuildKit walks, from the top: what matched a directory holds below it, and a pattern that would change nothing
    for a directory is not tried on it.
    """
    parts = path.split("/")
    matched = [False] * len(patterns)
    out = False
    for count in range(1, len(parts) + 1):
        out = False
        for index, (pattern, lets_in) in enumerate(patterns):
            if lets_in == out and not matched[index]:
                matched[index] = bool(pattern.fullmatch("/".join(parts[:count])))
            if matched[index]:
                out = not lets_in
    return out


def read_patterns(text: str) -> list[tuple[re.Pattern[str], bool]]:
    """Those of an ignore file, in its order."""
    lines = [line.strip() for line in text.splitlines() if not line.startswith("#")]
    pairs = [(line.removeprefix("!").strip(), line.startswith("!")) for line in lines if line]
    cleaned = [(posixpath.normpath(f"/{text}").lstrip("/"), lets_in) for text, lets_in in pairs]
    return [(_compiled(text), lets_in) for text, lets_in in cleaned if text]


def _patterns(file: Path) -> list[tuple[re.Pattern[str], bool]]:
    return read_patterns(file.read_text(encoding="utf-8-sig", errors="replace")) if file.is_file() else []


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(
            "".join(_translated(found[0], found.end() == len(pattern)) for found in _TOKEN.finditer(pattern))
        )
    except re.error:  # BuildKit refuses it, and says so
        return _NOTHING


def _translated(token: str, last: bool) -> str:
    if token.startswith("**"):
        return ".*" if last else "(?:.*/)?"
    if token.startswith("[") and len(token) > 1:
        return token
    return {"*": "[^/]*", "?": "[^/]"}.get(token) or re.escape(token.removeprefix("\\") or token)


def _sources(words: str) -> list[str]:
    """All but the last, in either of the two forms."""
    try:
        listed = [str(word) for word in json.loads(words)] if words.startswith("[") else words.split()
    except ValueError:
        listed = words.split()
    return listed[:-1]


def _known(source: str) -> str:
    """A path from the context's top."""
    parts = posixpath.normpath(f"/{source}").split("/")
    first = next((index for index, part in enumerate(parts) if _UNKNOWN.search(part)), len(parts))
    return "/".join(parts[:first]).lstrip("/") or "."


def _pair(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name, value
