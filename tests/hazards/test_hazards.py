"""Every hazard of the catalogue, on real data: the bad migration is found by its own id, the good one let through."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom.postgres.address import Address
from greenroom.rehearsal.document import Finding
from greenroom.rehearsal.hazards import CATALOGUE
from tests.hazards.harness import bad, furnished, good, hazards, rehearsed, write_project
from tests.hazards.releases import rows

MUST_FAIL = {"H05", "H06", "H18", "H21", "H35", "H43", "H48-bad_alter", "G02"}  # the migration itself does
NEIGHBOURS = {"H44", "H47"}  # notes that stand beside any other
# what belongs to the example: a foreign key without an index; a column that is brought back within 5 ms or not
BESIDE = {"H13": {"G01"}, "C11": {"C12"}}


def test_every_hazard_has_its_examples() -> None:
    assert sorted([*hazards(), *rows()]) == sorted(CATALOGUE)
    assert [hazard for hazard in hazards() if not good(hazard)] == []


def named(example: Path) -> str:
    return f"{example.parent.name}-{example.stem}"


@pytest.mark.parametrize("example", bad(), ids=named)
def test_bad_is_found(example: Path, source: Address, tmp_path: Path) -> None:
    hazard = example.parent.name
    with furnished(source, hazard) as shop:
        rehearsal = rehearsed(shop, write_project(tmp_path / "project", [example]))
    [finding] = [found for found in rehearsal.findings if found.hazard == hazard]
    allowed = NEIGHBOURS | BESIDE.get(hazard, set())
    assert (rehearsal.error is not None) == bool({hazard, named(example)} & MUST_FAIL)
    assert not {found.hazard for found in rehearsal.findings} - {hazard} - allowed, told(rehearsal.findings)
    assert finding.evidence.summary.endswith(".")
    assert "$" not in finding.advice.django
    compile(finding.advice.django, hazard, "exec")


@pytest.mark.full
@pytest.mark.parametrize("hazard", hazards())
def test_good_is_let_through(hazard: str, source: Address, tmp_path: Path) -> None:
    with furnished(source, hazard) as shop:
        rehearsal = rehearsed(shop, write_project(tmp_path / "project", good(hazard)))
    assert rehearsal.error is None
    assert [run.status for run in rehearsal.migrations] == ["applied"] * len(good(hazard))
    assert not [found for found in rehearsal.findings if found.severity != "note"], told(rehearsal.findings)
    assert hazard not in {found.hazard for found in rehearsal.findings}


def told(findings: list[Finding]) -> str:
    return "\n".join(f"{f.hazard} {f.severity} {f.table}: {f.evidence.summary}" for f in findings)
