from __future__ import annotations

import sys
from pathlib import Path

import pytest

from config.environment import describe
from greenroom.environment.registry import Registry, Variable

APP = Path(__file__).resolve().parents[2] / "app"


@pytest.fixture(scope="session")
def registry() -> Registry:
    """The app's own, without a process in between."""
    return Registry({entry["name"]: Variable(**entry) for entry in describe()}, sys.executable, APP)
