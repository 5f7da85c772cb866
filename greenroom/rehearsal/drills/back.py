"""back: down to the starting state and up again. What cannot be undone, what is lost, who waits, what is different."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from greenroom.copies.acquiring import Acquired
from greenroom.postgres import catalog
from greenroom.postgres.catalog import Catalog
from greenroom.postgres.server import connect
from greenroom.rehearsal import values
from greenroom.rehearsal.document import Drill, DrillStep, Evidence, Finding, Stall, TableEvidence
from greenroom.rehearsal.drills.stage import IN_USE, Outcome, Stage, refuse_shared
from greenroom.rehearsal.hazards.drilled import DESTRUCTIVE_REVERSE, REVERSE_BLOCKS, drilled
from greenroom.rehearsal.hazards.evidence import Felt, severity
from greenroom.rehearsal.hazards.folding import Folded
from greenroom.rehearsal.report.words import counted, duration, label, milliseconds, number, strongest_of
from greenroom.rehearsal.values import Lost, Values
from greenroom.rehearsal.watching import Watched

BOOKKEEPING = "django_migrations"  # Django makes it once, and never takes it back
NAMED = 6  # differences in a sentence


@dataclass(frozen=True)
class State:
    """A database at one moment; `values` of the tables that the migrations concern, but for those `passed_over`."""

    catalog: Catalog
    values: dict[str, Values]
    passed_over: list[str]


def hold(stage: Stage) -> Outcome:
    """Take the migrations back on a clone, apply them again, and compare the three states. Raises GreenroomError."""
    undo = tuple(label(run) for run in reversed(stage.watched.recorder.runs))
    tables = concerned(stage.watched)
    before, after = _state(stage.pristine, tables), _state(stage.copy, tables)
    with stage.migrated_clone() as clone:
        down = stage.run(clone, undo=undo, targets=[])
        refuse_shared(down, IN_USE, "which the copy still uses")
        if down.error:
            return _stuck(stage, down)
        if stays := sorted(set(undo) - {label(run) for run in down.recorder.runs}):
            return _tied(stage, down, stays)
        back = _state(clone, tables, before)
        up = stage.run(clone)
        again = _state(clone, tables)
    steps = [
        *(_taken_back(run.app, run.name, run.seconds, stage, down) for run in down.recorder.runs),
        _same("down: the schema is what it was before", before.catalog, back.catalog),
        _applied_again(up),
        *([] if up.error else [_same("up again: the schema is what the migration made", after.catalog, again.catalog)]),
    ]
    lost = values.lost(before.values, after.values, back.values)
    findings = [*_lost(stage, lost, after), *_blocking(stage, down)]
    failed = [step for step in steps if step.status == "failed"]
    reason = f"{failed[0].what}: {failed[0].detail}" if failed else _passed(down, lost, after.passed_over)
    drill = Drill(name="back", status="failed" if failed else "passed", reason=reason, steps=steps, stalls=down.stalls)
    return Outcome(drill, findings)


def concerned(watched: Watched) -> set[str]:
    """Tables that the migrations name, lock or write to, as the document names them."""
    planned = {op.table for migration in watched.plan.migrations for op in migration.operations if op.table}
    statements = [statement for run in watched.recorder.runs for statement in run.statements]
    locked = {lock.table for statement in statements for lock in statement.locks}
    return (planned | locked) - {BOOKKEEPING}


def _state(copy: Acquired, tables: set[str], before: State | None = None) -> State:
    """Where it is to be compared with one of `before`, rows that have come since do not count."""
    with connect(copy.admin) as connection:
        found = values.read(connection, tables)
        if before:
            found = values.without_new_rows(connection, found, before.values)
        schema = {name: one for name, one in catalog.read(connection).items() if BOOKKEEPING not in name}
        return State(schema, found, values.passed_over(connection, tables))


def _stuck(stage: Stage, down: Watched) -> Outcome:
    """It did not come back: taken back so far, and where it stopped."""
    assert down.error is not None
    steps = [
        _taken_back(run.app, run.name, run.seconds, stage, down)
        for run in down.recorder.runs
        if run.status == "applied"
    ]
    where = down.error.migration or "the way back"
    irreversible = (down.error.exception or "").endswith("IrreversibleError")
    why = (
        "an operation of it has no reverse"
        if irreversible
        else f"it failed with {down.error.exception or down.error.kind}"
        + (f" (SQLSTATE {down.error.sqlstate})" if down.error.sqlstate else "")
    )
    steps.append(DrillStep(what=f"{where} taken back", status="failed", detail=why))
    left = len(stage.watched.recorder.runs) - len(steps) + 1
    reason = f"{where} cannot be taken back: {why}; {counted(left, 'migration')} would stay applied."
    drill = Drill(name="back", status="failed", reason=reason, steps=steps, stalls=down.stalls)
    return Outcome(drill, list(_blocking(stage, down)))


def _tied(stage: Stage, down: Watched, stays: list[str]) -> Outcome:
    """`migrate` goes back to a migration, and takes back what comes after it: not what stands beside it."""
    steps = [_taken_back(run.app, run.name, run.seconds, stage, down) for run in down.recorder.runs]
    why = "migrate takes it back only together with one beside it that was applied before"
    steps += [DrillStep(what=f"{name} taken back", status="failed", detail=why) for name in stays]
    reason = f"{' and '.join(stays)} cannot be taken back alone: {why}."
    drill = Drill(name="back", status="failed", reason=reason, steps=steps, stalls=down.stalls)
    return Outcome(drill, list(_blocking(stage, down)))


def _taken_back(app: str, name: str, seconds: float, stage: Stage, down: Watched) -> DrillStep:
    waits = [stall for stall in down.stalls if any(entry.migration == f"{app}.{name}" for entry in stall.blocked)]
    felt = _felt(waits, f"{app}.{name}")
    told = f"readers waited up to {milliseconds(felt.read_ms)}, writers up to {milliseconds(felt.write_ms)}"
    grave = severity(felt, stage.request.budget) != "note"
    return DrillStep(
        what=f"{app}.{name} taken back",
        status="note" if grave else "passed",
        detail=told if waits else "nobody waited",
        seconds=round(seconds, 4),
    )


def _applied_again(up: Watched) -> DrillStep:
    what = "applied again"
    if up.error:
        state = f" (SQLSTATE {up.error.sqlstate})" if up.error.sqlstate else ""
        detail = f"{up.error.migration or 'migrate'} failed with {up.error.exception or up.error.kind}{state}"
        return DrillStep(what=what, status="failed", detail=detail)
    return DrillStep(what=what, status="passed", seconds=round(up.totals.seconds, 4))


def _same(what: str, wanted: Catalog, found: Catalog) -> DrillStep:
    difference = catalog.difference(wanted, found)
    if not difference:
        return DrillStep(what=what, status="passed", detail=f"catalog digest {catalog.digest(found)[:12]}")
    sentences = difference.sentences
    more = f" and {counted(len(sentences) - NAMED, 'more difference')}" if len(sentences) > NAMED else ""
    return DrillStep(what=what, status="failed", detail=", ".join(sentences[:NAMED]) + more)


def _lost(stage: Stage, lost: Mapping[str, Lost], after: State) -> Iterator[Finding]:
    """C11, one a table: what the new schema holds and the old cannot, and what did not come back."""
    whole = lost.keys() | after.values.keys()
    for table, one in lost.items():
        relation, now = stage.watched.relations.get(table), after.values.get(table)
        if relation and whole & set(relation.ancestors):
            continue
        parts = [
            *([f"going back drops {_of(one.gone, table)}"] if one.gone else []),
            *([f"going back drops {_of(one.unfilled, table)}, in which there is nothing yet"] if one.unfilled else []),
            *([f"{_of(one.changed, table)} did not come back as they were"] if one.changed else []),
        ]
        yield drilled(
            DESTRUCTIVE_REVERSE,
            "back",
            "warning" if one.changed else "note",
            Evidence(
                summary=_sentence("; ".join(parts)),
                rows=now.rows if now else None,
                size_bytes=relation.size_bytes if relation else None,
            ),
            table=table,
        )


def _of(parts: tuple[str, ...], table: str) -> str:
    """`column note (20 values) of shop_order`, `the table shop_order (20 rows)`."""
    whole = parts[0].startswith("the table")
    return parts[0].replace("the table", f"the table {table}", 1) if whole else f"{', '.join(parts)} of {table}"


def _blocking(stage: Stage, down: Watched) -> Iterator[Finding]:
    """C12, one a migration: a way back is measured against the same budget, but never worse than a warning."""
    for run in Folded(down.recorder.runs, down.relations).runs:
        name = label(run)
        stalls = [stall for stall in down.stalls if any(entry.migration == name for entry in stall.blocked)]
        felt = _felt(stalls, name)
        if severity(felt, stage.request.budget) == "note":
            continue
        worst = max(stalls, key=lambda stall: max(stall.read_ms, stall.write_ms))
        strongest = strongest_of(run)
        slowest = max(run.statements, key=lambda statement: statement.seconds, default=None)
        yield drilled(
            REVERSE_BLOCKS,
            "back",
            "warning",
            Evidence(
                summary=f"Taking {name} back took {duration(run.seconds)}; readers waited up to "
                f"{milliseconds(felt.read_ms)}, writers up to {milliseconds(felt.write_ms)}.",
                statement=slowest.sql if slowest else None,
                seconds=run.seconds,
                tables=[
                    TableEvidence(
                        table=lock.table,
                        mode=lock.mode,
                        held_ms=round(lock.held_ms, 3),
                        rows=(down.relations[lock.table].rows if lock.table in down.relations else None),
                    )
                    for statement in run.statements
                    for lock in statement.locks
                    if lock.blocks_writes
                ],
                rows=worst.rows,
                size_bytes=worst.size_bytes,
                read_ms=felt.read_ms,
                write_ms=felt.write_ms,
            ),
            table=strongest.table if strongest else worst.table,
            migration=name,
        )


def _felt(stalls: Iterable[Stall], migration: str) -> Felt:
    entries = [entry for stall in stalls for entry in stall.blocked if entry.migration == migration]
    read = max(((e.to_s - e.from_s) * 1000 for e in entries if e.reads), default=0.0)
    write = max(((e.to_s - e.from_s) * 1000 for e in entries if e.writes), default=0.0)
    return Felt(round(read, 3), round(write, 3))


def _passed(down: Watched, lost: Mapping[str, Lost], passed_over: list[str]) -> str:
    count = len(down.recorder.runs)
    what = f"{counted(count, 'migration')} went back in {duration(down.totals.seconds)} and came again"
    tables = sum(bool(one.gone or one.changed) for one in lost.values())
    data = f"; data of {counted(tables, 'table')} is lost" if tables else ""
    unread = f" Not compared, being too large or not to be read: {', '.join(passed_over)}." if passed_over else ""
    return f"{what}, with the same schema{data}.{unread}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


__all__ = ["concerned", "hold", "number"]
