"""Places of the run's own for what greenroom writes beside a checkout: no test leaves anything in the user's."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom.postgres import cluster

PARENT = Path("/var/tmp")  # a disk where /tmp is memory
VARIABLES = ("TMPDIR", "XDG_STATE_HOME")


@contextmanager
def own_places() -> Iterator[None]:
    """For throw-away data and for what is remembered, as long as the block lasts; what killed runs left is removed.

    Templates of data directories stay where they are: they can be made again, and that takes a second each.
    """
    tempfile.gettempdir()  # pytest's own directories stay where it always has them
    before = {name: os.environ.get(name) for name in VARIABLES}
    parent = PARENT / f"greenroom-tests-{os.getuid()}"
    parent.mkdir(mode=0o711, exist_ok=True)
    with cluster.private_directory(parent) as place:
        place.chmod(0o711)  # servers may have to run as somebody else
        os.environ |= {"TMPDIR": str(place), "XDG_STATE_HOME": str(place / "state")}
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                os.environ |= {name: value} if value is not None else {}


def surroundings(home: Path) -> dict[str, str]:
    """A command's whole environment but what it is about: another home, and the run's place for throw-away data."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": os.environ["TMPDIR"]}


def strayed(config: pytest.Config) -> list[str]:
    """Snapshots of this run's dumps in the user's own place: a test has told its command another TMPDIR, or none."""
    factory = getattr(config, "_tmp_path_factory", None)
    users = PARENT / f"greenroom-{os.getuid()}" / "snapshots"
    return strays(factory.getbasetemp(), users) if factory else []


def strays(made: Path, snapshots: Path) -> list[str]:
    """The dumps below `made` of which there are `snapshots`."""
    found = map(_dump, snapshots.glob("*/snapshot.json"))
    return sorted(dump for dump in found if Path(dump).is_relative_to(made))


def _dump(description: Path) -> str:
    try:
        return str(json.loads(description.read_text()).get("dump"))
    except (OSError, ValueError):
        return ""
