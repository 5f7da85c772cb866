"""Static hints: what squawk says of the migrations' own SQL, beside what was measured of it. None changes a verdict.

`subjects` are the statements that it is asked about: as they ran, with blank literals, so that nothing of the data can
come back in its words. `squawk` asks, once for all migrations; `rules` is what its rules are about, and which of them
say nothing here; `merging` finds the measured findings that say the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from greenroom.rehearsal.document import Finding, Hint, StaticHints
from greenroom.rehearsal.hints import squawk
from greenroom.rehearsal.hints.merging import Said, merged
from greenroom.rehearsal.hints.rules import ON_PARTITIONED
from greenroom.rehearsal.hints.subjects import Subject, subjects
from greenroom.rehearsal.recorder import Recorder
from greenroom.rehearsal.report.words import counted


def static_hints(
    recorder: Recorder,
    findings: Sequence[Finding],
    tables: Collection[str],
    server_version: str,
    directory: Path,
    program: Path | None = None,
    partitioned: Collection[str] = (),
) -> tuple[StaticHints, list[Finding]]:
    """The hints, and the findings with those that say the same; `tables` were there before the migrations.

    A `.squawk.toml` at or above `directory` holds. `program` is squawk, None: the one that is installed. That there is
    none, or that it fails, is a note. It does not know that a table is `partitioned`: what it advises there in vain is
    said with it.
    """
    asked, unread = subjects(recorder, tables)
    scripts = [squawk.Script(run.atomic, tuple(subject.text for subject in found)) for run, found in asked]
    try:
        answer = squawk.ask(scripts, server_version, directory, program)
    except squawk.Unheard as why:
        return StaticHints(note=f"not made: {why}"), list(findings)
    said = [_said(asked[remark.script][1][remark.statement], remark, partitioned) for remark in answer.remarks]
    hints, found = merged(said, findings)
    return StaticHints(version=answer.version, note=_note(unread + answer.unread), hints=hints), found


def _said(subject: Subject, remark: squawk.Remark, partitioned: Collection[str]) -> Said:
    instead = ON_PARTITIONED.get(remark.rule) if subject.table in partitioned else None
    hint = Hint(
        rule=remark.rule,
        level=remark.level,
        message=remark.message + (f" But {subject.table} is partitioned: {instead}." if instead else ""),
        migration=subject.migration,
        operation=subject.operation,
        statement=subject.place,
        table=subject.table,
    )
    return Said(hint, subject)


def _note(unread: int) -> str | None:
    return f"squawk could not read {counted(unread, 'statement')}" if unread else None


__all__ = ["static_hints"]
