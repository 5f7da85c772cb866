"""A secret is a type of its own: it cannot be printed, logged or formatted by accident."""


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
    """What nobody sees of a value that was pasted or read from a file: words that tell nothing else of it, or none."""
    if value != value.strip() or len(value.splitlines()) > 1:
        return "begins or ends with a blank, or has a line break"
    return ""
