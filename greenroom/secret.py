"""A secret is a type of its own: it cannot be printed, logged or formatted by accident."""

from itertools import pairwise
from unicodedata import category

_UNSEEN = {"Cc", "Cf", "Zl", "Zp", "Zs"}  # Unicode's controls, formats and separators, the plain blank among them
_JOINERS = "\u200c\u200d"  # within emoji, and letters beyond ASCII


class Secret:
    """A password or token. `str()`, `repr()` and f-strings give `***`; only `reveal()` gives the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one call that needs it (a connection, a child's environment)."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)


def oddity(value: str) -> str:
    """What nobody sees of a value that was pasted or read from a file: words that tell nothing else of it, or none.

    The app has the same rule for its variables (app/config/variables.py).
    """
    if value != value.strip(" \t\r\n") or len(value.splitlines()) > 1:
        return "begins or ends with a blank, or has a line break"
    for before, letter in pairwise(f" {value}"):
        is_joined = letter in _JOINERS and not before.isascii()
        if letter != " " and category(letter) in _UNSEEN and not is_joined:
            return f"has an invisible character, U+{ord(letter):04X}, as pasting from a document may add"
    return ""
