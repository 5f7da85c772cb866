"""Whose code is loaded: that of the worktree of a release, though the environment knows the checkout beside it.

An app that is installed as editable stands on `sys.path` with the checkout's directory, or in a finder that maps its
packages there: both are turned to the same places in the worktree.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, Iterator, List, Tuple

PACKAGES = tuple(os.sep + name + os.sep for name in ("site-packages", "dist-packages"))  # Debian's has the second


def is_installed(file: str) -> bool:
    """Whether it belongs to an installed package, and not to the project."""
    return any(packages in file for packages in PACKAGES)


class Origin:
    """A release's code in `tree`, where `checkout` holds another one's; both are the tops of the repository."""

    def __init__(self, checkout: str, tree: str, project: str) -> None:
        self._checkout, self._tree = os.path.realpath(checkout), os.path.realpath(tree)
        self._project = os.path.realpath(project)

    def put_in_front(self) -> None:
        """What would be imported from the checkout is imported from the worktree, where that has it."""
        counterparts = [self._counterpart(path) for path in sys.path]
        sys.path[1:1] = [path for path in counterparts if path and os.path.isdir(path)]
        for name, module in list(sys.modules.items()):
            mapped: Dict[str, str] = getattr(module, "MAPPING", {}) if name.startswith("__editable__") else {}
            for package, path in list(mapped.items()):
                mapped[package] = self._counterpart(path) or path

    def strangers(self) -> List[str]:
        """Modules of the project that come from elsewhere: its settings, and those with its models."""
        return sorted(
            {name for name, file in _modules() if not self._inside(file, self._tree) and self._ours(name, file)}
        )

    def _ours(self, name: str, file: str) -> bool:
        """Of the checkout, or something that the worktree has as well."""
        if self._inside(file, self._checkout) and not is_installed(file):
            return True
        path = name.replace(".", os.sep)
        places = [os.path.join(top, more) for top in (self._tree, self._project) for more in ("", "src")]
        return any(os.path.exists(os.path.join(place, path + end)) for place in places for end in (".py", os.sep))

    def _counterpart(self, path: str) -> str:
        """In the worktree; empty for a path that is not in the checkout."""
        real = os.path.realpath(path or os.curdir)
        if not self._inside(real, self._checkout) or self._inside(real, self._tree):
            return ""
        return os.path.normpath(os.path.join(self._tree, os.path.relpath(real, self._checkout)))

    @staticmethod
    def _inside(file: str, directory: str) -> bool:
        return os.path.join(os.path.realpath(file), "").startswith(os.path.join(directory, ""))


def _modules() -> Iterator[Tuple[str, str]]:
    from django.apps import apps

    names = {os.environ.get("DJANGO_SETTINGS_MODULE", ""), *(model.__module__ for model in apps.get_models())}
    for name in names:
        module: Any = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if file:
            yield name, file
