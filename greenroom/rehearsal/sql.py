"""SQL without data: every literal becomes `$n`, so that statements can be shown, counted and compared.

The text is read as PostgreSQL's own scanner reads it (section 4.1 of its manual). Where a reading is in doubt, nothing
is guessed: a string or comment that does not end, a number with letters behind it, a backslash before a quote (which
ends the string or not, by `standard_conforming_strings`): from there on the whole rest is one `$n`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 2000
DOTS = "..."
CUT = "…"

_START = r"[A-Za-z_\u0080-\U0010ffff]"
_IN_NAME = r"[A-Za-z0-9_$\u0080-\U0010ffff]"
_DIGITS = r"[0-9](?:_?[0-9])*+"

_TOKEN = re.compile(
    rf"""
      (?P<space>   [ \t\n\r\f\v]++ | --[^\n\r]*+ )
    | (?P<comment> /\* )
    | (?P<escape>  [eE]'(?: [^'\\]++ | \\. | '' )*+' )
    | (?P<string>  (?: [uU]& | [bBxXnN] )?+ '[^']*+ (?: ''[^']*+ )*+' )
    | (?P<quoted>  (?: [uU]& )?+ "[^"]*+ (?: ""[^"]*+ )*+" )
    | (?P<open>    (?: [uU]& | [eEbBxXnN] )?+ ['"] )
    | (?P<dollar>  \$ (?: {_START}[A-Za-z0-9_\u0080-\U0010ffff]*+ )?+ \$ )
    | (?P<number>  (?: 0[xX](?:_?[0-9a-fA-F])++ | 0[oO](?:_?[0-7])++ | 0[bB](?:_?[01])++
                     | (?: {_DIGITS}(?: \.(?: {_DIGITS} )?+ )?+ | \.{_DIGITS} )(?: [eE][+-]?{_DIGITS} )?+
                     | \$[0-9]++ ) (?P<junk> {_START} )?+ )
    | (?P<binding> %[sbt](?!{_IN_NAME}) | %\([A-Za-z0-9_.]+\)[sbt](?!{_IN_NAME}) )
    | (?P<word>    {_START}{_IN_NAME}*+ )
    | (?P<other>   %% | \.\.\. | :: | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_DOUBTFUL = re.compile(r"(?<!\\)(?:\\\\)*+\\'")
_COMMENT_MARK = re.compile(r"/\*|\*/")

_KEYWORD_TYPES = frozenset(
    "varchar varying character char nchar bit numeric decimal dec float time timestamp interval".split()
)
_OTHER_TYPES = frozenset("bpchar varbit timetz timestamptz vector halfvec sparsevec geometry geography".split())
_CONSTANTS = frozenset(["null", "true", "false", "default"])
_TIMEOUT = re.compile(
    r"\s*SET\s+(?:LOCAL\s+|SESSION\s+)?(?:lock|statement)_timeout\s*(?:=|\sTO\s)\s*"
    r"(?:[0-9]{1,7}|'[0-9]{1,7} ?(?:us|ms|s|min|h|d)?')[\s;]*",
    re.IGNORECASE,
)
_ROWS = re.compile(r"[\s(]*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|VALUES|WITH|COPY|EXPLAIN|SHOW)\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Token:
    kind: str  # literal, number, word, quoted, other
    text: str
    spaced: bool  # white space or a comment stood before it


def normalise(sql: str) -> str:
    """`sql` with `$1`, `$2`, ... for its literals and placeholders, without comments, at most LONGEST characters.

    Names and type modifiers (`varchar(50)`), NULL and booleans stay, and so does the limit that a SET gives to a
    timeout: 0 is none. Lists of literals show their first entry and `...`. What came out goes in again unchanged.
    """
    if _TIMEOUT.fullmatch(sql):
        return " ".join(sql.split()).rstrip("; ")
    tokens = _keep_modifiers(list(_scan(sql)))
    tokens = _fold_values(_fold_lists(_merge(tokens)))
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    return _render(tokens)


def blanked(sql: str) -> str | None:
    """`sql` for a program that parses it: each string is empty, each number 0, and comments are gone.

    None when it cannot be read without doubt.
    """
    tokens = _merge(list(_scan(sql)))
    if any(token.kind == "literal" and token.text == CUT for token in tokens):
        return None
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    return _joined(tokens, ["''" if t.kind == "literal" else "0" if t.kind == "number" else t.text for t in tokens])


def only_rows(normalised: str) -> bool:
    """Whether the statement reads or writes rows and changes nothing else."""
    return _ROWS.match(normalised) is not None and ";" not in normalised


def _scan(sql: str) -> Iterator[_Token]:
    """The tokens of the text; from the first doubtful place on one literal, and the end."""
    at, spaced = 0, False
    while at < len(sql):
        match = _TOKEN.match(sql, at)
        assert match and match.lastgroup
        kind, text = "number" if match["number"] else match.lastgroup, match.group()
        end: int | None = match.end()
        if kind == "comment":
            end = _end_of_comment(sql, at)
        elif kind == "dollar":
            end = _after(sql, text, match.end())
        elif kind == "open" or match["junk"] or (kind == "string" and _DOUBTFUL.search(text)):
            end = None
        if end is None:
            yield _Token("literal", CUT, spaced)
            return
        if kind in ("space", "comment"):
            spaced = True
        else:
            yield _token(kind, text, spaced)
            spaced = False
        at = end


def _token(kind: str, text: str, spaced: bool) -> _Token:
    if kind in ("escape", "string", "dollar", "binding") or (text[0] == "$" and kind == "number"):
        return _Token("literal", "$", spaced)
    return _Token(kind, "%" if text == "%%" else text, spaced)


def _end_of_comment(sql: str, at: int) -> int | None:
    """Comments nest."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(sql, at):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return None


def _after(sql: str, text: str, at: int) -> int | None:
    found = sql.find(text, at)
    return found + len(text) if found >= 0 else None


def _keep_modifiers(tokens: list[_Token]) -> list[_Token]:
    """Numbers become literals, but for those that belong to a type: `numeric(10, 2)`."""
    kept: set[int] = set()
    for at, token in enumerate(tokens):
        name = token.text.lower()
        if token.kind == "word" and (name in _KEYWORD_TYPES or name in _OTHER_TYPES):
            kept.update(_modifier(tokens, at, digits=8 if name in _KEYWORD_TYPES else 5))
    return [
        token if token.kind != "number" or at in kept else _Token("literal", "$", token.spaced)
        for at, token in enumerate(tokens)
    ]


def _modifier(tokens: list[_Token], at: int, digits: int) -> range:
    """Indexes between the parentheses behind a type's name: short numbers, or the name of a geometry and a number."""
    geometry = tokens[at].text.lower().startswith("geo")
    if at + 1 >= len(tokens) or tokens[at + 1].text != "(":
        return range(0)
    for here in range(at + 2, min(at + 7, len(tokens))):
        token = tokens[here]
        number = token.kind == "number" and token.text.isdigit() and len(token.text) <= digits
        if token.text == ")":
            return range(at + 2, here)
        if not (number or token.text in ("-", ",") or (geometry and token.kind == "word")):
            break
    return range(0)


def _merge(tokens: list[_Token]) -> list[_Token]:
    """Literals side by side are one: strings over several lines."""
    merged: list[_Token] = []
    for token in tokens:
        if not (merged and token.kind == merged[-1].kind == "literal"):
            merged.append(token)
    return merged


# A token a letter, so that a pattern over tokens is a regular expression over letters, index for index.
_LETTERS = {"(": "(", ")": ")", "[": "[", "]": "]", ",": ",", "-": "-", "+": "-", "::": ":", DOTS: ".", ";": ";"}
_WORDS = {"in": "I", "array": "A", "values": "V"}
_ITEM = r"-?[LK](?::[wI]++(?:\([nw,]+\))?(?:\[\])*)?"
_ROW = rf"(?:{_ITEM}|\({_ITEM}(?:,{_ITEM})*+\))"
_LIST = re.compile(rf"(?:I\(|A\[){_ROW}(?P<more>(?:,(?:{_ROW}|\.))++)[)\]]")


def _letter(token: _Token) -> str:
    if token.kind == "literal":
        return "L"
    if token.kind == "number":
        return "n"
    if token.kind == "word":
        name = token.text.lower()
        return "K" if name in _CONSTANTS else _WORDS.get(name, "w")
    return _LETTERS.get(token.text, "o") if token.kind == "other" else "q"


def _fold_lists(tokens: list[_Token]) -> list[_Token]:
    """`IN ($1, $2, $3)` and `ARRAY[$1, $2, $3]` show one entry, so that lists of any length are the same statement."""
    folded: list[_Token] = []
    done = 0
    for match in _LIST.finditer("".join(map(_letter, tokens))):
        folded += tokens[done : match.start("more")] + _dots()
        done = match.end("more")
    return folded + tokens[done:]


def _fold_values(tokens: list[_Token]) -> list[_Token]:
    """`VALUES ($1, $2), ($3, $4)` shows its first row."""
    folded: list[_Token] = []
    at = 0
    while at < len(tokens):
        folded.append(tokens[at])
        at += 1
        if _letter(tokens[at - 1]) == "V":
            end = _end_of_row(tokens, at)
            folded += tokens[at:end]
            at, rows = end, 0
            while at + 1 < len(tokens) and tokens[at].text == "," and (end := _end_of_row(tokens, at + 1)) > at + 1:
                at, rows = end, rows + 1
            folded += _dots() if rows else []
    return folded


def _end_of_row(tokens: list[_Token], at: int) -> int:
    """Index behind the parenthesis that closes the one at `at`, or behind dots; `at` when there is neither."""
    if at < len(tokens) and _letter(tokens[at]) == ".":
        return at + 1
    depth = 0
    for here in range(at, len(tokens)):
        depth += {"(": 1, ")": -1}.get(_letter(tokens[here]), 0)
        if depth <= 0:
            return here + 1 if here > at else at
    return at


def _dots() -> list[_Token]:
    return [_Token("other", ",", False), _Token("other", DOTS, True)]


def _render(tokens: list[_Token]) -> str:
    parts: list[str] = []
    length = fits = number = 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        number += token.kind == "literal"
        text = f"${number}" if token.kind == "literal" else token.text
        part = f" {text}" if before and _parted(before, token) else text
        length += len(part)
        if length > LONGEST:
            return "".join(parts[:fits]) + f" {CUT}"
        parts.append(part)
        fits = len(parts) if length <= LONGEST - 2 else fits
    return "".join(parts)


def _joined(tokens: list[_Token], texts: list[str]) -> str:
    befores = [None, *tokens]
    parts = zip(befores, tokens, texts, strict=False)
    return "".join(f" {text}" if before and _parted(before, token) else text for before, token, text in parts)


def _parted(before: _Token, token: _Token) -> bool:
    return token.spaced or _must_part(before, token)


def _must_part(before: _Token, token: _Token) -> bool:
    """Whether the two would be read as something else without a space between."""
    if before.text == "%" and before.kind == "other":
        return token.kind in ("word", "literal") or token.text in ("(", "%")
    return {before.kind, token.kind} == {"literal", "word"} or (before.kind == "other" and before.text == "$")
