"""Copies that stand: `db-list`, `db-drop`, `db-reap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context, Exit, task

from greenroom.errors import ANSWER_IS_NO, COULD_NOT_RUN, DONE, GreenroomError

if TYPE_CHECKING:
    from greenroom.postgres.inventory import Scope
    from greenroom.postgres.remains import Remains

WHERE = {
    "url": "the one server to look at: postgresql://USER@HOST:PORT/DATABASE (default: here, and all that we know of)",
    "target": "look here, and at the server of this database of [tool.greenroom.databases]",
}
DROPPING = {**WHERE, "yes": "do not ask", "dry-run": "only show what would be dropped"}


@task(help=WHERE, auto_shortflags=False)
def db_list(_context: Context, url: str | None = None, target: str | None = None) -> None:
    """List the copies that stand, wherever they are, and whether their lease still holds."""
    from greenroom.interrupts import answered
    from greenroom.postgres import inventory

    with answered():
        found = inventory.survey(_scope(url, target))
        print(table(found.standing))
        raise Exit(code=_told(found.problems))


@task(positional=["name"], help={"name": "the copy to drop", **DROPPING}, auto_shortflags=False)
def db_drop(
    _context: Context,
    name: str,
    url: str | None = None,
    target: str | None = None,
    yes: bool = False,
    dry_run: bool = False,
) -> None:
    """Drop one copy; what bears no lease and stands in no journal is refused."""
    from greenroom.interrupts import answered
    from greenroom.postgres import inventory

    with answered():
        raise Exit(code=_drop([inventory.named(_scope(url, target), name)], yes=yes, dry_run=dry_run))


@task(help=DROPPING, auto_shortflags=False)
def db_reap(
    _context: Context, url: str | None = None, target: str | None = None, yes: bool = False, dry_run: bool = False
) -> None:
    """Drop the copies whose lease is over or whose creator has died, and what was killed in the making."""
    from greenroom.interrupts import answered
    from greenroom.postgres import inventory

    with answered():
        found = inventory.survey(_scope(url, target))
        code = _drop([remains for remains in found.standing if remains.to_be_reaped], yes=yes, dry_run=dry_run)
        raise Exit(code=max(code, _told(found.problems)))


def table(standing: list[Remains]) -> str:
    """The copies, a line each, under headings; what they are, unless all are databases."""
    if not standing:
        return "No copies stand."
    rows = [("name", "kind", "server", "branch", "by", "made", "until", "size", "state"), *map(_row, standing)]
    if {remains.kind for remains in standing} == {"database"}:
        rows = [(name, *rest) for name, _, *rest in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(remains: Remains) -> tuple[str, ...]:
    lease = remains.lease
    size = f"{remains.size_bytes / 1_000_000:.1f} MB" if remains.exists and _has_size(remains) else "-"
    by, branch, until = (lease.by, lease.branch, lease.until) if lease else ("-", "-", "")
    times = (_time(remains.made), _time(until))
    return (remains.name, remains.kind, remains.where, branch, by, *times, size, remains.state)


def _has_size(remains: Remains) -> bool:
    return remains.kind == "database" or remains.size_bytes > 0


def _time(iso: str) -> str:
    """UTC, to the minute."""
    return iso[:16].replace("T", " ") or "-"


def _scope(url: str | None, target: str | None) -> Scope:
    """Raises GreenroomError for two places at once, and for a target that is not configured."""
    from greenroom import config
    from greenroom.postgres.inventory import Scope

    if url and target:
        raise GreenroomError("--url and --target are two servers to look at.", "Leave one of them out.")
    if url:
        return Scope(url)
    return Scope(target=target, config=config.load())


def _drop(copies: list[Remains], *, yes: bool, dry_run: bool) -> int:
    """Show them, ask, and drop exactly those: one that cannot be dropped does not keep the others."""
    from greenroom.tasks.asking import agreed

    if not copies:
        print("Nothing is to be dropped.")
        return DONE
    print(table(copies))
    if dry_run:
        return DONE
    if not yes and not agreed(f"Drop {'this copy' if len(copies) == 1 else f'these {len(copies)} copies'}?"):
        return ANSWER_IS_NO
    return max([_dropped(copy) for copy in copies])


def _dropped(copy: Remains) -> int:
    try:
        copy.drop()
    except GreenroomError as error:
        print(error)
        return int(error.code)
    print(f"dropped {copy.name}")
    return DONE


def _told(problems: list[str]) -> int:
    """Say who did not answer: then the list may not be whole."""
    for problem in problems:
        print(problem)
    return COULD_NOT_RUN if problems else DONE
