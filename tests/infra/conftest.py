"""The root module in a directory of its own, initialised; what Terraform made of it with a provider without AWS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infra.module import Module, made, prepared


@pytest.fixture(scope="session")
def module(tmp_path_factory: pytest.TempPathFactory) -> Module:
    """Skips where Terraform or the provider is not to be had."""
    return prepared(tmp_path_factory.mktemp("module"))


@pytest.fixture(scope="session")
def state(module: Module) -> Callable[[str], dict[str, Any]]:
    """Of a file of tests, what its first run that applies has made: values by address."""
    known: dict[str, dict[str, Any]] = {}

    def of(file: str) -> dict[str, Any]:
        if file not in known:
            known[file] = made(module, Path(file))
        return known[file]

    return of
