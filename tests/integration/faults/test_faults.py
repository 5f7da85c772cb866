"""The matrix of faults: real servers, a real sshd, the typed command. Whatever happens, nothing is left or harmed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.bastion import bastion, needed
from tests.integration.faults import brakes, checks
from tests.integration.faults.cases import CASES, Case
from tests.integration.faults.stage import WAYS, Source, Stage, source
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
        for run in made.runs:  # shown where the test has failed
            print(f"a command ended with {run.process.returncode} and had said:\n{run.said}")
        print(f"the source's server says:\n{orders.log}")


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=[] if case.quick else pytest.mark.full) for case in CASES]
)
def test_fault_leaves_nothing_behind(case: Case, stage: Stage) -> None:
    stage.set_up(WAYS[case.way])
    with stage.source.admin() as bystander, brakes.of(case.phase, case.way)(stage) as brake:
        before = checks.Before.of(stage)
        run = stage.start()
        run.until(lambda: brake.reached(run), f"the phase {case.phase}")
        ports = checks.listened(stage)
        assert checks.no_secret(stage, run) == [] and checks.indiscretions(stage, case.phase) == []
        STRIKES[case.strike](stage, run, brake)
        run.wait()
        checks.told(run, case.code, case.says)
        assert re.search(case.prints, run.out.read_text(errors="replace"), re.MULTILINE), case.prints
        brake.release()
        if case.reaped:
            reaped = reap(stage)
            assert case.phase != "create" or "no lease, creator died" in reaped, "the journal knows of it"
        checks.nothing_left(stage, run, before, ports, reported=run.process.returncode in (0, 1))
        if case.strike != "source restarted":
            assert bystander.execute("SELECT 1").fetchone() == (1,), "a session of the source was ended"


@pytest.mark.full
@pytest.mark.parametrize("way", ["stream", "branch"])
def test_two_rehearsals_of_one_branch_at_once(way: str, stage: Stage) -> None:
    """Both work, and each has a copy of its own."""
    stage.set_up(WAYS[way])
    with brakes.own_code(stage) as brake:
        before = checks.Before.of(stage)
        runs = [stage.start(), stage.start()]
        for run in runs:
            run.until(lambda: brakes.waiting(stage) == 2, "migrations of both")
        ports = checks.listened(stage)
        brake.release()
        for run in runs:
            run.wait()
            checks.told(run, 0, "")
        written = stage.project.glob("build/rehearsals/2*/rehearsal.json")
        assert len({json.loads(path.read_text())["copy"]["name"] for path in written}) == 2
        for run in runs:
            checks.nothing_left(stage, run, before, ports, reported=True)


def test_matrix_has_the_cases_that_were_promised() -> None:
    """Every phase under every signal, and thirty cases at least."""
    met = {(case.phase, case.strike) for case in CASES}
    phases = ["dump", "transfer", "restore", "migrate", "drill", "drop"]
    assert [(p, s) for p in phases for s in ("SIGINT", "SIGTERM", "SIGKILL") if (p, s) not in met] == []
    assert len(CASES) == len({case.name for case in CASES}) >= 30


def reap(stage: Stage) -> str:
    """One `db-reap`, and what it says."""
    run = stage.start("db-reap", "--yes")
    assert run.wait() == 0, run.out.read_text() + run.said
    return run.out.read_text()
