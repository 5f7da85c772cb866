"""The matrix of faults: real servers, a real sshd, the typed command. Whatever happens, nothing is left or harmed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.bastion import bastion, needed
from tests.integration.faults import brakes, checks
from tests.integration.faults.cases import CASES, Case
from tests.integration.faults.stage import WAYS, Run, Source, Stage, source
from tests.integration.faults.strikes import STRIKES


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    with source(tmp_path_factory.mktemp("initial")) as made:
        yield made


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What can be made again, so that initdb runs once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def stage(orders: Source, cache: Path, tmp_path: Path) -> Iterator[Stage]:
    needed()
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o711)
    with bastion(tmp_path / "vpn") as host:
        made = Stage(tmp_path / "desk", orders, host, cache)
        yield made
        made.clear()


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=[] if case.quick else pytest.mark.full) for case in CASES]
)
def test_fault_leaves_nothing_behind(case: Case, stage: Stage) -> None:
    stage.set_up(WAYS[case.way])
    with brakes.of(case.phase, case.way)(stage) as brake:
        before = checks.Before.of(stage)
        run = stage.start()
        run.until(lambda: brake.reached(run), f"the phase {case.phase}")
        ports = checks.listened(stage)
        assert checks.no_secret(stage, run) == []
        STRIKES[case.strike](stage, run, brake)
        run.wait()
        checks.told(run, case.code, case.says)
        brake.release()
        if case.reaped:
            reap(stage)
        checks.nothing_left(stage, run, before, ports, reported=case.code in (0, 1))


def reap(stage: Stage) -> None:
    """One `db-reap`, once what was killed has gone with its children."""
    run: Run = stage.start("db-reap", "--yes")
    assert run.wait() == 0, run.out.read_text() + run.said
