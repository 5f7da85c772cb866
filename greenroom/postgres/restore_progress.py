"""What a pg_restore is doing, and how far it is, from what it says with --verbose."""

from __future__ import annotations

import re

from greenroom.postgres.arriving import Arriving

_WORKING = re.compile(r"pg_restore: (?:processing (?:data for )?|creating )(?P<what>[\w ]+) (?P<name>\".*\")$")
_ITEM = re.compile(r"pg_restore: (?P<how>launching|finished) item \d+ TABLE DATA (?P<name>.+)$")


class Working:
    """The thing that it came to last; `rows`, where there is one, is told what begins and ends."""

    def __init__(self, rows: Arriving | None) -> None:
        self._rows, self._what = rows, ""
        self._several = False

    def hears(self, line: str) -> bool:
        """Whether there is anything new to tell."""
        if match := _WORKING.match(line):
            self._what = f"{match['what']} {match['name']}"
            if self._rows and match["what"] == "table":
                self._rows.begins(match["name"].strip('"'), alone=not self._several)
            return True
        if match := _ITEM.match(line):
            self._several = True  # by several sessions, which tell their ends
            if self._rows and match["how"] == "finished":
                self._rows.ends(match["name"])
            return True
        return not line and bool(self._what)

    def told(self) -> str:
        """Bytes, rate, time left, and the thing that it came to last."""
        return " · ".join(filter(None, [self._rows.told() if self._rows else "", self._what]))
