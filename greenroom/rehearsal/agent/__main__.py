"""`PYTHON greenroom/rehearsal/agent`, where the agent starts: its rooms are loaded under a name that nobody else has.

Python has put this directory in front of `sys.path`, whatever -I, -P and PYTHONSAFEPATH say. It goes before anything
else is imported: its modules must shadow neither the app's nor the standard library's.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    del sys.path[0]

import importlib.util
import os

NAME = "greenroom_agent"


def load() -> None:
    """Make this directory the package NAME, wherever it lies and whatever it is called there."""
    directory = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location(
        NAME, os.path.join(directory, "__init__.py"), submodule_search_locations=[directory]
    )
    assert spec and spec.loader
    sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])


if __name__ == "__main__":
    load()
    importlib.import_module(NAME + ".run").main()
