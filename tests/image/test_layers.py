from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from greenroom import config
from greenroom.config import Config
from greenroom.docker_images import Built, Layer
from greenroom.image import layers
from greenroom.image.layers import Group, Record

BUILT = Built(
    "sha256:01",
    (
        Layer("/bin/sh -c #(nop) ADD file:1 in / ", 80_000_000, "sha256:a"),
        Layer("RUN apt-get install python # buildkit", 50_000_000, "sha256:b"),
        Layer("COPY /opt/venv /opt/venv # buildkit", 60_000_000, "sha256:c"),
        Layer("RUN touch /x # buildkit", 1_000, "sha256:d"),
        Layer("COPY --chown=1:1 /app /app # buildkit", 300_000, "sha256:e"),
        Layer("WORKDIR /app", 0, "sha256:f"),
    ),
)
RECORD = Record(
    "ledger:1",
    "sha256:01",
    {"base": Group(130_000_000, ["sha256:a"]), "dependencies": Group(60_000_000, ["sha256:c"])},
    {"django": "5.2.1"},
    {"app/one.py": "1", "app/two.py": "2"},
)


@pytest.fixture
def loaded(tmp_path: Path) -> Config:
    return config.parse({"image": {"layers": {"dependencies": "/opt/venv", "app code": "/app"}}}, tmp_path)


def test_groups_by_what_a_copy_leads_to(loaded: Config) -> None:
    assert layers.groups(loaded, BUILT) == {
        "base": Group(130_000_000, ["sha256:a", "sha256:b"]),
        "dependencies": Group(60_000_000, ["sha256:c"]),
        "other": Group(1_000, ["sha256:d", "sha256:f"]),
        "app code": Group(300_000, ["sha256:e"]),
    }


def test_groups_without_configuration_are_the_base(tmp_path: Path) -> None:
    assert list(layers.groups(config.parse({}, tmp_path), BUILT)) == ["base"]


def test_table_of_a_first_build_has_sizes_alone() -> None:
    assert layers.table(RECORD, None).splitlines() == [
        "ledger:1  sha256:01   190.0 MB",
        "  base           130.0 MB",
        "  dependencies    60.0 MB",
    ]


def test_table_says_what_changed_since_the_last_one() -> None:
    now = replace(
        RECORD,
        name="ledger:2",
        id="sha256:02",
        groups={
            **RECORD.groups,
            "dependencies": Group(61_500_000, ["sha256:9"]),
            "app code": Group(300_000, ["sha256:e"]),
        },
        packages={"django": "5.2.2", "new": "1"},
        files={"app/one.py": "3", **{f"app/new{number}.py": "1" for number in range(5)}},
    )
    assert layers.table(now, RECORD).splitlines() == [
        "ledger:2  sha256:02   191.8 MB",
        "  base           130.0 MB  same",
        "  dependencies    61.5 MB  changed (+1.50 MB)",
        "  app code         0.3 MB  new",
        "compared with ledger:1",
        "  packages: django 5.2.1 -> 5.2.2, new - -> 1",
        "  files: app/new0.py, app/new1.py, app/new2.py, app/new3.py, and 3 more",
    ]


def test_table_tells_content_by_its_digest_and_not_by_its_size() -> None:
    now = replace(RECORD, groups={**RECORD.groups, "dependencies": Group(60_000_000, ["sha256:9"])})
    assert "  dependencies    60.0 MB  changed (+0.00 MB)" in layers.table(now, RECORD)


def test_remembered_is_what_was_kept(loaded: Config) -> None:
    assert layers.remembered(loaded) is None
    layers.remember(loaded, RECORD)
    assert layers.remembered(loaded) == RECORD


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"groups": 1}', '{"name": 1, "groups": {}, "more": 1}'])
def test_remembered_passes_over_what_it_cannot_read(loaded: Config, text: str) -> None:
    layers.remember(loaded, RECORD)
    (loaded.root / "build" / "image" / "last.json").write_text(text)
    assert layers.remembered(loaded) is None
