"""What a mask makes of a value: a few kinds, each an SQL expression over the column.

Equal values of a copy become equal values (joins and unique constraints survive), different copies differ: each is
masked with a salt of its own that the server draws and forgets. With a fixed one, whoever sees a masked copy could
hash a list of addresses or telephone numbers and look them up. Nothing needs the same value twice: a snapshot is
masked once, and its clones share what it holds.

The expressions use what every server from 14 on has built in, read the column as text before they call a function, so
that no function of the database's own can take that one's place, and never see a NULL.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

SALT = "greenroom.salt"  # a setting of the session that masks
SQL = "sql"

_DISTINCT = 16  # hex digits that keep values apart: 64 bits, a collision in 10^8 values is one in 4,000
_NAMES = (
    "Ada Ben Cleo Dan Eve Finn Gwen Hugo Iris Jon Kim Leo Mia Nick Olga Paul Quinn Rosa Sam Tess Uma Vera Will Xenia "
    "Yves Zoe"
).split()
_LETTERS = "etaoinsrhldcumfp"  # for the sixteen digits of a digest
_SYLLABLES = (
    "a ad am bo cing con cu dip do e el en et ex fu gi id ip is la lit lo lor met mi na ni os pa qui rem sec sed sit "
    "sum te tur ut va ven"
).split()
_FILLER_LENGTH = 16384
_STEP = 16


@dataclass(frozen=True)
class Shape:
    """What a column holds: a family of types, and the type in full (`public.citext`, `character varying(30)`).

    `base` is the short name of the type below all domains (`varchar`), `length` its room in characters. `collation` is
    told, in quotes, where it takes different texts for equal.
    """

    family: str
    type: str
    base: str
    length: int | None = None
    collation: str | None = None


@dataclass(frozen=True)
class Kind:
    """A way to mask. `expression` is over `{value}`, the column's quoted name; None leaves the column as it is.

    `shortest` is the length that its result needs in a column of text; `keeps_apart` says whether different values stay
    different in a column of this shape, `most` how many it makes, where these are few.
    """

    name: str
    makes: str
    families: tuple[str, ...]
    expression: Callable[[Shape], str] | None
    shortest: int = 0
    keeps_apart: Callable[[Shape], bool] = lambda _shape: False
    most: int | None = None

    def misfit(self, shape: Shape) -> str | None:
        """Why it cannot mask a column of this shape; None when it can."""
        if self.families and shape.family not in self.families:
            return f"{self.name} does not fit {shape.type}, but {' and '.join(self.families)} columns"
        if shape.family == "text" and (shape.length or self.shortest) < self.shortest:
            return f"{self.name} needs room for {self.shortest} characters, and {shape.type} has less"
        return None

    def over(self, value: str, shape: Shape) -> str | None:
        """The SQL expression over a column, by its quoted name."""
        return self.expression(shape).replace("{value}", value) if self.expression else None


def _digest(shape: Shape) -> str:
    """64 hex digits of the salt and the value: the same for values that the column takes for equal."""
    text = "lower({value}::text)" if shape.base == "citext" else "{value}::text"
    if shape.collation:  # PostgreSQL's hash is of what it compares; one of 64 bits may be the same for two
        hashes = (f"hashtextextended({{value}}::text COLLATE {shape.collation}, {seed})::text" for seed in (0, 1))
        text = " || ".join(hashes)
    return f"encode(sha256(convert_to(current_setting('{SALT}') || {text}, getdatabaseencoding())), 'hex')"


def _bits(shape: Shape, count: int) -> str:
    return f"('x' || left({_digest(shape)}, {count // 4}))::bit({count})::{'bigint' if count > 32 else 'int'}"


def _room(shape: Shape, most: int) -> int:
    return most if shape.length is None else min(most, shape.length)


def _email(shape: Shape) -> str:
    domain = "example.invalid" if _room(shape, 37) == 37 else "x.invalid"
    return f"'u' || left({_digest(shape)}, {min(20, _room(shape, 37) - len(domain) - 2)}) || '@{domain}'"


def _name(shape: Shape) -> str:
    names = ", ".join(f"'{name}'" for name in _NAMES)
    return f"(ARRAY[{names}])[1 + {_bits(shape, 28)} % {len(_NAMES)}]"


def _phone(shape: Shape) -> str:
    digits = _room(shape, 4 + _DISTINCT) - 4
    return f"'+999' || left(translate({_digest(shape)}, 'abcdef', '012345'), {digits})"


def _text(shape: Shape) -> str:
    """As long as the value, rounded up to a multiple of 16: rows stay as wide, and compress about as well as text does.

    A word of the digest, then a piece of the filler that begins where the digest says. Equal values may be of different
    lengths where a collation takes other texts for equal: there all are of one length.
    """
    length = f"(length({{value}}::text) + {_STEP - 1}) / {_STEP} * {_STEP}" if not shape.collation else f"{_STEP * 2}"
    limited = length if shape.length is None else f"least({length}, {shape.length})"
    word = f"translate(left(digest, 8), '0123456789abcdef', '{_LETTERS}')"
    begin = f"1 + ('x' || right(digest, 6))::bit(24)::int % {_FILLER_LENGTH}"
    short = f"encode(substr(filler, {begin}, room), 'escape')"
    long = f"repeat(encode(filler, 'escape'), room / {_FILLER_LENGTH} + 1)"
    made = f"SELECT {_digest(shape)}, {limited}, '{_filler() * 2}'::bytea OFFSET 0"  # each once, for the next line
    chosen = f"CASE WHEN room <= {_FILLER_LENGTH} THEN {short} ELSE {long} END"
    return f"(SELECT left({word} || ' ' || {chosen}, room) FROM ({made}) AS made (digest, room, filler))"


@functools.cache
def _filler() -> str:
    """Words of one to three syllables: longer than the 4 kB that pglz looks back, so that long texts stay long."""
    digests = b"".join(sha256(bytes([block % 256, block // 256])).digest() for block in range(_FILLER_LENGTH // 32))
    ends = ("", " ", " ")  # of a syllable, by chance as well
    syllables = (_SYLLABLES[one % len(_SYLLABLES)] + ends[one % len(ends)] for one in digests)
    return "".join(syllables)[:_FILLER_LENGTH]


def _hash(shape: Shape) -> str:
    if shape.family == "bytea":
        return f"sha256(convert_to(current_setting('{SALT}'), 'UTF8') || {{value}}::bytea)"
    return f"left({_digest(shape)}, {_room(shape, 64)})"


def _empty(shape: Shape) -> str:
    if shape.family == "json":
        return f"CASE {shape.base}_typeof({{value}}::{shape.base}) WHEN 'array' THEN '[]' ELSE '{{}}' END"
    return "'{}'" if shape.family == "array" else "''"


def _date(shape: Shape) -> str:
    if shape.base == "timestamptz":
        return "date_trunc('month', {value}::timestamptz, 'UTC')"
    return "date_trunc('month', {value}::timestamp)"


def _uuid(shape: Shape) -> str:
    return f"left({_digest(shape)}, 32)::uuid::text"


def _ip(shape: Shape) -> str:
    four, six = f"'10.0.0.0'::inet + {_bits(shape, 24)}", f"'fd00::'::inet + {_bits(shape, 60)}"
    if shape.family == "text":
        return f"host({four})"
    return f"CASE family({{value}}::inet) WHEN 4 THEN {four} ELSE {six} END"


def _always(_shape: Shape) -> bool:
    return True


def _with_room_for(length: int) -> Callable[[Shape], bool]:
    return lambda shape: shape.length is None or shape.length >= length


KINDS = {
    kind.name: kind
    for kind in (
        Kind("email", "an address that reaches nobody", ("text",), _email, shortest=27, keeps_apart=_always),
        Kind("name", "one of 26 first names", ("text",), _name, shortest=5, most=len(_NAMES)),
        Kind(
            "phone",
            "digits after +999, which no country has",
            ("text",),
            _phone,
            shortest=8,
            keeps_apart=_with_room_for(20),
        ),
        Kind("text", "words; the length rounded up to a multiple of 16", ("text",), _text),
        Kind("hash", "hex digits; of bytea, 32 bytes", ("text", "bytea"), _hash, shortest=16, keeps_apart=_always),
        Kind("uuid", "a UUID", ("uuid", "text"), _uuid, shortest=36, keeps_apart=_always),
        Kind("ip", "an address of 10.0.0.0/8, or of fd00::/8", ("inet", "text"), _ip, shortest=15),
        Kind("date", "the first day of its month", ("date",), _date),
        Kind("zero", "0", ("number",), lambda _shape: "0"),
        Kind("empty", "nothing, of the same type", ("text", "bytea", "json", "array", "hstore"), _empty),
        Kind("null", "NULL", (), lambda _shape: "NULL", keeps_apart=_always),
        Kind("keep", "the value itself, declared harmless", (), None, keeps_apart=_always),
    )
}
