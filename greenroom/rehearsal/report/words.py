"""The figures and sentences that all views share: they say the same, in the same words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from greenroom.rehearsal.document import Finding, Hint, Image, Lock, MigrationRun, Rehearsal, Stall

ANSWER = {"pass": "may go out", "warn": "may go out, with care", "fail": "may not go out as it is"}
SEVERITIES = ("failure", "warning", "note")
NOTICED_MS = 100.0  # below it, a wait is lost in the time that a page takes anyway

_MODES = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
_BY_PG_LOCKS = {mode.title().replace(" ", "") + "Lock": mode for mode in _MODES}


def duration(seconds: float) -> str:
    """`0.4 ms`, `850 ms`, `2.4 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds <= 0:
        return "0 ms"
    if seconds < 0.9995:
        ms = seconds * 1000
        return "under 0.1 ms" if ms < 0.05 else f"{ms:.1f} ms" if ms < 9.95 else f"{ms:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def milliseconds(ms: float) -> str:
    """As `duration`, from milliseconds."""
    return duration(ms / 1000)


def share_of(ms: float, budget_ms: float) -> str:
    """`14 % of the budget of 1.0 s`, `5.1 times the budget of 1.0 s`."""
    share, budget = ms / budget_ms, milliseconds(budget_ms)
    if share == 0:
        return f"nothing of the budget of {budget}"
    if share < 0.01:
        return f"under 1 % of the budget of {budget}"
    return (
        f"{share * 100:.0f} % of the budget of {budget}" if share < 2 else f"{share:.1f} times the budget of {budget}"
    )


def size(octets: int | None) -> str:
    """`12 kB`, `235.7 MB`: powers of 1000; a dash where it is not known."""
    if octets is None:
        return "–"
    amount, sign = float(abs(octets)), "−" if octets < 0 else ""
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.95:
            return f"{sign}{amount:.0f} {unit}" if unit == "B" or amount >= 99.95 else f"{sign}{amount:.1f} {unit}"
        amount /= 1000
    return f"{sign}{amount:.1f} TB"


def number(count: int | None) -> str:
    """`1,000,000`; a dash where it is not known."""
    return "–" if count is None else f"{count:,}"


def counted(count: int, one: str, many: str = "") -> str:
    """`1 table`, `3 tables`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def mode(pg_locks: str) -> str:
    """`AccessExclusiveLock` as the manual writes it: `ACCESS EXCLUSIVE`."""
    return _BY_PG_LOCKS.get(pg_locks, pg_locks)


def strongest(locks: Iterable[Lock]) -> Lock | None:
    """The lock of the strongest mode; of equal ones the longest."""
    return max(locks, key=lambda lock: (_strength(lock), lock.held_ms), default=None)


def strongest_of(run: MigrationRun) -> Lock | None:
    """The strongest lock that a migration took on a table that was there before."""
    return strongest(lock for statement in run.statements for lock in statement.locks)


def _strength(lock: Lock) -> int:
    known = mode(lock.mode)
    return _MODES.index(known) if known in _MODES else -1


def clean(text: str) -> str:
    """Text that cannot steer a terminal nor break a line or an XML document: names of tables can hold anything."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def cut(text: str, length: int) -> str:
    """At most `length` characters, with an ellipsis when some are missing."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def squeezed(text: str, length: int) -> str:
    """At most `length` characters, the middle left out: long names differ at both ends."""
    if len(text) <= length:
        return text
    head = (length - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def label(run: MigrationRun) -> str:
    """`app.name`."""
    return f"{run.app}.{run.name}"


@dataclass
class Waits:
    """The longest that a reader and a writer of any table waited, in milliseconds."""

    read_ms: float = 0.0
    write_ms: float = 0.0


def waits_by_migration(rehearsal: Rehearsal) -> defaultdict[str, Waits]:
    """What clients felt while each migration ran, by `app.name`."""
    felt: defaultdict[str, Waits] = defaultdict(Waits)
    for entry in (entry for stall in rehearsal.stalls for entry in stall.blocked):
        ms, waits = 1000 * (entry.to_s - entry.from_s), felt[entry.migration or ""]
        if entry.reads:
            waits.read_ms = max(waits.read_ms, ms)
        if entry.writes:
            waits.write_ms = max(waits.write_ms, ms)
    return felt


def most_blocked(stalls: Iterable[Stall]) -> list[Stall]:
    """The longest stall first."""
    return sorted(stalls, key=lambda stall: (-max(stall.read_ms, stall.write_ms), stall.table))


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Failures first; among equals, the order in which they were found."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def hinted(rehearsal: Rehearsal) -> str:
    """`3 by squawk 2.70.0, 2 of them measured as well`, or why there are none; empty where there is nothing to say."""
    static = rehearsal.static
    if static is None:
        return ""
    same = len(static.hints) - len(unmeasured(rehearsal))
    measured = f", {same} of them measured as well" if same else ""
    count = f"{len(static.hints)} by {static.tool} {static.version}{measured}" if static.hints else ""
    return "; ".join(filter(None, [count, static.note]))


def unmeasured(rehearsal: Rehearsal) -> list[Hint]:
    """The static hints that no finding says."""
    return [hint for hint in rehearsal.static.hints if not hint.merged_with] if rehearsal.static else []


def headline(rehearsal: Rehearsal) -> str:
    """May this go out, and the first reason: without the verdict's own word."""
    if rehearsal.reasons:
        return f"{ANSWER[rehearsal.verdict]}: {_continued(rehearsal.reasons[0])}"
    if not _pending(rehearsal):
        return f"{ANSWER[rehearsal.verdict]}: no migration is pending"
    return ANSWER[rehearsal.verdict]


def _continued(sentence: str) -> str:
    """A sentence as the end of another: without its capital, unless its first word is a name, and its full stop."""
    first = sentence.split(" ", 1)[0]
    named = not first.isalpha() or not first[1:].islower()
    return (sentence if named else sentence[0].lower() + sentence[1:]).removesuffix(".")


def noticed(rehearsal: Rehearsal) -> str:
    """What users would have noticed, in one or two sentences."""
    if not _pending(rehearsal):
        return "Nothing: no migration is pending."
    broken = _broken(rehearsal)
    waits = " ".join([*broken, _waits(rehearsal, nothing=not broken and rehearsal.error is None)])
    if rehearsal.error is None:
        return waits
    done = sum(run.status == "applied" for run in rehearsal.migrations)
    where = f" in {rehearsal.error.migration}" if rehearsal.error.migration else ""
    return f"The release stops{where}, with {done} of {counted(_pending(rehearsal), 'migration')} applied. {waits}"


def todo(rehearsal: Rehearsal) -> str:
    """What to do next, in a sentence."""
    error, findings = rehearsal.error, [f for f in by_severity(rehearsal.findings) if f.severity != "note"]
    if error:
        return error.advice or f"Mend {error.migration or 'the migration'}, and rehearse again."
    urgent = [finding for finding in findings if finding.drill != "back"]
    if findings and not urgent and rehearsal.verdict == "pass":
        return f"Let it go out; should it have to go back, read {findings[0].hazard} below first."
    findings = [*urgent, *(finding for finding in findings if finding.drill == "back")]
    if findings:
        rest = len(findings) - 1
        more = f"; {counted(rest, 'more finding')} below" if rest else ""
        return f"{findings[0].advice.summary.rstrip('.')} ({findings[0].hazard}{more})."
    if rehearsal.verdict == "fail":
        return "Split or shorten what blocks, and rehearse again."
    if rehearsal.verdict == "warn":
        return "Read the reasons below, then choose a quiet hour."
    return "Nothing: let it go out." if _pending(rehearsal) else "Nothing."


def image(one: Image) -> str:
    """Its name, and the digest by which it is known everywhere, or else here."""
    return f"{one.name} ({one.digest or one.id})"


def broken_operation(rehearsal: Rehearsal) -> str | None:
    """The operation in which the migration broke off, as Django describes it."""
    error = rehearsal.error
    if error is None or error.operation is None:
        return None
    planned = next((m for m in rehearsal.plan.migrations if f"{m.app}.{m.name}" == error.migration), None)
    operations = planned.operations if planned else []
    known = next((operation for operation in operations if str(operation.index) == error.operation), None)
    return f"{known.index}: {known.description}" if known else error.operation


def _pending(rehearsal: Rehearsal) -> int:
    return max(len(rehearsal.migrations), len(rehearsal.plan.migrations))


def _waits(rehearsal: Rehearsal, *, nothing: bool) -> str:
    """`Readers of a and 2 more tables would wait up to 2.4 s, writers of b up to 3.1 s.`

    `nothing`: where there is no wait to speak of, there is nothing else either.
    """
    reads = _felt([(stall.read_ms, stall.table) for stall in rehearsal.stalls])
    writes = _felt([(stall.write_ms, stall.table) for stall in rehearsal.stalls])
    if reads and writes:
        return f"Readers of {reads[0]} would wait up to {reads[1]}, writers of {writes[0]} up to {writes[1]}."
    if reads or writes:
        who, (tables, time) = ("Readers", reads) if reads else ("Writers", writes or ("", ""))
        return f"{who} of {tables} would wait up to {time}."
    longest = max((max(stall.read_ms, stall.write_ms) for stall in rehearsal.stalls), default=0.0)
    within = all(
        s.read_ms <= rehearsal.budget.read_ms and s.write_ms <= rehearsal.budget.write_ms for s in rehearsal.stalls
    )
    words = (
        f"no reader or writer would wait longer than {milliseconds(longest)}"
        if longest
        else "no reader or writer would wait"
    )
    return f"Nothing: {words}." if nothing and within else f"{words[0].upper()}{words[1:]}."


def _broken(rehearsal: Rehearsal) -> list[str]:
    """What the release that is still running can no longer do: its users notice that first."""
    found = [f for f in rehearsal.findings if f.drill == "old-release" and f.severity == "failure"]
    if not found:
        return []
    more = f" ({counted(len(found) - 1, 'more finding')})" if len(found) > 1 else ""
    return [f"The running release fails: {clean(found[0].evidence.summary.rstrip('.'))}{more}."]


def _felt(waits: list[tuple[float, str]]) -> tuple[str, str] | None:
    """Which tables' clients would notice their wait, and the longest of it; None when nobody would."""
    noticed_ones = sorted((wait for wait in waits if wait[0] >= NOTICED_MS), key=lambda wait: (-wait[0], wait[1]))
    if not noticed_ones:
        return None
    longest, table = noticed_ones[0]
    more = f" and {counted(len(noticed_ones) - 1, 'more table')}" if len(noticed_ones) > 1 else ""
    return f"{clean(table)}{more}", milliseconds(longest)
