"""Migration files of another directory, in front of those that an app has: of two with one name, theirs is hidden."""

from __future__ import annotations

import sys
from typing import Any, Dict, Optional


class Shadow:
    """A finder that finds a package as everybody else does, and has its modules looked for in one more place first."""

    def __init__(self, directories: Dict[str, str]) -> None:
        self._directories = directories  # by the package's name

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[Any]:
        directory = self._directories.get(name)
        others = [one for one in sys.meta_path if one is not self] if directory else []
        for spec in (finder.find_spec(name, path, target) for finder in others):
            if spec is not None:
                found = spec.submodule_search_locations
                if directory and found is not None:
                    spec.submodule_search_locations = [directory, *found]
                return spec
        return None


def put_in_front(directories: Dict[str, str]) -> None:
    """From the next import on: Django imports a migrations package anew with every loader, and asks the finders."""
    if directories:
        sys.meta_path.insert(0, Shadow(directories))
