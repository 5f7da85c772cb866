"""Snapshots that are kept here: `snapshots`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context, Exit, task

from greenroom.errors import ANSWER_IS_NO, DONE, GreenroomError

if TYPE_CHECKING:
    from greenroom.postgres.snapshots import Snapshot

ALL = "all"


@task(
    help={
        "drop": "name of a snapshot to remove, or: all",
        "yes": "do not ask",
        "dry-run": "only show what would be removed",
    },
    auto_shortflags=False,
)
def snapshots(_context: Context, drop: str | None = None, yes: bool = False, dry_run: bool = False) -> None:
    """List the restored copies that are kept here as snapshots; they hold the data of their source.

    A target's goes when it is older than [tool.greenroom.snapshots] max_age_hours, a dump's when the dump goes.
    The next rehearsal of the same dump or target starts from a clone of one, unless it is told to --refresh.
    """
    from greenroom.postgres import snapshots as room

    standing = room.listed()
    chosen = standing if drop in (None, ALL) else [_named(standing, str(drop))]
    print(table(chosen))
    raise Exit(code=DONE if drop is None or dry_run else _remove(chosen, yes=yes))


def table(standing: list[Snapshot]) -> str:
    """The snapshots, a line each, under headings; below them what they take together."""
    if not standing:
        return "No snapshots are kept."
    headings = ("name", "source", "made (UTC)", "age", "until (UTC)", "size", "server", "masked", "state")
    rows = [headings, *map(_row, standing)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    total = _size(sum(found.size_bytes for found in standing))
    return "\n".join([*lines, f"{total} in {standing[0].path.parent}"])


def _row(found: Snapshot) -> tuple[str, ...]:
    masks = len(found.contents.masks) if found.contents else 0
    masked = f"{masks} column{'s' if masks > 1 else ''}" if masks else "-"
    made, until = (time[:16].replace("T", " ") if time else "-" for time in (found.made, found.until))
    server = f"PostgreSQL {found.version}" if found.version else "-"
    return (
        found.name,
        found.source or "-",
        made,
        _age(found.age.total_seconds()),
        until,
        _size(found.size_bytes),
        server,
        masked,
        found.state,
    )


def _age(seconds: float) -> str:
    hours = seconds / 3600
    return f"{seconds / 60:.0f} min" if hours < 1 else f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"


def _named(standing: list[Snapshot], name: str) -> Snapshot:
    for found in standing:
        if found.name == name:
            return found
    raise GreenroomError(
        f"there is no snapshot {name}.", "./inv snapshots shows those that there are.", code=ANSWER_IS_NO
    )


def _remove(chosen: list[Snapshot], *, yes: bool) -> int:
    """Ask, and remove exactly those that were shown."""
    from greenroom.postgres import snapshots as room
    from greenroom.tasks.asking import agreed

    if not chosen:
        return DONE
    if not yes and not agreed(
        f"Remove {'this snapshot' if len(chosen) == 1 else f'these {len(chosen)} snapshots'}?", preview=False
    ):
        return ANSWER_IS_NO
    for found in chosen:
        room.remove(found)
        print(f"removed {found.name}")
    return DONE
