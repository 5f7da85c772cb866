"""What all views say of the safe twins: the waits side by side, and where the files lie."""

from __future__ import annotations

from greenroom.rehearsal.document import Twin, TwinWait
from greenroom.rehearsal.report.words import milliseconds, squeezed

MARK = {True: "passes", False: "does not pass"}


def standing(twin: Twin) -> str:
    """`passes`, `does not pass`, or why there is nothing to say."""
    return MARK[twin.passes] if twin.status == "rehearsed" else twin.status


def side_by_side(ms: float, twin_ms: float) -> str:
    """`1.5 s → 4.0 ms`; a dash is nobody who waits."""
    if not ms and not twin_ms:
        return "–"
    return f"{milliseconds(ms) if ms else '–'} → {milliseconds(twin_ms) if twin_ms else '–'}"


def told(wait: TwinWait) -> str:
    """`readers of shop_order 1.5 s → 4.0 ms, writers 1.5 s → 4.0 ms`."""
    parts: list[str] = []
    for who, ms, twin_ms in (
        ("readers", wait.read_ms, wait.twin_read_ms),
        ("writers", wait.write_ms, wait.twin_write_ms),
    ):
        if ms or twin_ms:
            parts.append(f"{who}{'' if parts else f' of {squeezed(wait.table, 40)}'} {side_by_side(ms, twin_ms)}")
    return ", ".join(parts)


def where(twin: Twin) -> str:
    """`twin/shop/: 0002_1_add.py, 0002_add.py (over the old file)`; empty where nothing was written."""
    if not twin.files:
        return ""
    names = [f"{file.path.partition('/')[2]}{' (over the old file)' if file.replaces else ''}" for file in twin.files]
    return f"twin/{twin.files[0].path.partition('/')[0]}/: {', '.join(names)}"
