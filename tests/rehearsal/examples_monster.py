"""A rehearsal with too much of everything, and with names that want to be markup."""

from __future__ import annotations

from greenroom.rehearsal.document import (
    Git,
    MigrationRun,
    Rehearsal,
    Rewrite,
    Scan,
    StaticHints,
    Twin,
    TwinFile,
    TwinWait,
)
from tests.rehearsal.example_parts import (
    AX,
    HOSTILE,
    TWIN,
    document_of,
    finding_of,
    hint_of,
    lock,
    stall_of,
    statement,
    totals_of,
)


def monster() -> Rehearsal:
    """5,000 statements, 400 tables, names that want to be markup, and nothing short."""
    tables = [f"{HOSTILE}Straße_{number:03}_{'x' * 30}" for number in range(400)]
    runs = []
    for number in range(100):
        run = MigrationRun(
            app=f"app_{'y' * 20}", name=f"{number:04}_{HOSTILE}", started_s=number * 1.0, seconds=1.0, status="applied"
        )
        run.statements = [
            statement(
                f'ALTER TABLE "{tables[(number * 50 + n) % 400]}" {"ADD COLUMN <b> " * 120}',
                number + n / 50,
                0.02,
                [lock(tables[(number * 50 + n + k) % 400], AX, number + n / 50, 20.0) for k in range(6)],
                rewrites=[Rewrite(table=tables[n], rows=10, size_bytes=10_000)],
                scans=[Scan(table=tables[n], rows=10, lock=AX)],
                transaction=number,
            )
            for n in range(50)
        ]
        runs.append(run)
    stalls = [
        stall_of(
            table,
            [(s * 2.5, s * 2.5 + 0.02 * (1 + at % 7), "rw") for s in range(40)],
            runs[at % 100],
            rows=at,
            octets=at * 999,
        )
        for at, table in enumerate(tables)
    ]
    document = document_of("fail", runs=runs, stalls=stalls, totals=totals_of(100.0, 140.0, 140.0))
    document.reasons = [f"writers of {table} would stand still for 140 ms (budget 5 ms)" for table in tables]
    document.findings = [
        finding_of("H01", HOSTILE, "failure", runs[at % 100], table, AX, 140.0, f"{TWIN}\n```\n</code>{HOSTILE}\n" * 20)
        for at, table in enumerate(tables)
    ]
    document.static = StaticHints(version=HOSTILE, note=HOSTILE, hints=[hint_of(HOSTILE, HOSTILE) for _ in tables])
    document.findings[0].static = [HOSTILE] * 300
    document.fidelity.notes = [f"{HOSTILE} {'z' * 3000}"] * 50
    document.twins = [
        Twin(
            migration=f"app.{HOSTILE}",
            status="rehearsed",
            reason=HOSTILE * 50,
            left=[HOSTILE * 50] * 50,
            twin_seconds=1.0,
            waits=[TwinWait(table=t, read_ms=140, write_ms=140, twin_read_ms=1, twin_write_ms=1) for t in tables],
            files=[TwinFile(path=f"app/{n}.py", replaces=False, text=f"{HOSTILE}\n" * 500) for n in range(50)],
        )
    ] * 60
    document.fidelity.settings = {f"{table}": HOSTILE * 10 for table in tables}
    document.fidelity.refused = [HOSTILE] * 300
    document.project = HOSTILE
    document.git = Git(commit="0" * 40, branch=f"feature/{HOSTILE}", dirty=True)
    return document
