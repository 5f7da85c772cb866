"""Images of small projects, built on the real engine from a few lines, and removed again."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BASE = "python:3.13-slim-trixie"
OURS = f"greenroom-test={secrets.token_hex(8)}"  # a label of what this process builds and runs
USER = "10001:10001"
WITH_DJANGO = f"""
FROM {BASE}
RUN pip install --quiet --root-user-action=ignore django~=5.2.0 "psycopg[binary]"
"""
SHOP = f"""
{WITH_DJANGO}
WORKDIR /srv/shop
COPY . .
ENV DJANGO_SETTINGS_MODULE=shop_settings
HEALTHCHECK CMD ["python", "-c", "raise SystemExit(1)"]
USER {USER}
CMD ["python", "-m", "http.server"]
"""


def needed() -> None:
    """Skip without an engine and the image that all others are made from; in CI that is a failure."""
    asked = subprocess.run(["docker", "image", "inspect", BASE], capture_output=True, check=False)
    if asked.returncode != 0:
        assert not os.environ.get("CI"), f"a Docker engine with {BASE} is needed"
        pytest.skip(f"needs a Docker engine that has {BASE}")


@contextmanager
def built(context: Path, dockerfile: str = SHOP, *words: str) -> Iterator[str]:
    """The name of an image of this directory, which goes with the block. No other test has the same image."""
    name = f"greenroom-test-inside:{secrets.token_hex(4)}"
    build = ["docker", "buildx", "build", "--load", "--quiet", "--tag", name, "--label", f"test={name}"]
    build += ["--label", OURS, "--file", "-", *words, str(context)]
    subprocess.run(build, input=dockerfile.encode(), check=True, capture_output=True)
    try:
        yield name
    finally:
        subprocess.run(["docker", "image", "rm", "--force", name], check=False, capture_output=True)


def containers(image: str = "") -> list[str]:
    """Names of agents' containers, running or not: of that image, else of all that this process has built.

    Others may hold rehearsals on the same engine meanwhile.
    """
    words = ["docker", "ps", "--all", "--filter", "name=greenroom-agent-", "--format", "{{.Names}}"]
    words += ["--filter", f"ancestor={image}" if image else f"label={OURS}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
