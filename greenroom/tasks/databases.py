"""Copies that stand: `db-list`, `db-drop`, `db-reap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context, Exit, task

from greenroom.errors import ANSWER_IS_NO, COULD_NOT_RUN, DONE

if TYPE_CHECKING:
    from greenroom.postgres.inventory import Standing, Survey

HELP_URL = "server to look at: postgresql://USER@HOST:PORT/DATABASE (default: all that our journal knows)"


@task(help={"url": HELP_URL}, auto_shortflags=False)
def db_list(_context: Context, url: str | None = None) -> None:
    """List the copies of rehearsals that stand on a server, and whether their lease still holds."""
    from greenroom.postgres import inventory

    found = inventory.survey(url)
    print(table(found.standing))
    raise Exit(code=_told(found))


@task(
    positional=["name"],
    help={
        "name": "the copy to drop",
        "url": HELP_URL,
        "yes": "do not ask",
        "dry-run": "only show what would be dropped",
    },
    auto_shortflags=False,
)
def db_drop(_context: Context, name: str, url: str | None = None, yes: bool = False, dry_run: bool = False) -> None:
    """Drop one copy; what bears no lease and stands in no journal is refused."""
    from greenroom.postgres import inventory

    copy = inventory.named(inventory.survey(url), name)
    raise Exit(code=_drop([copy], yes=yes, dry_run=dry_run))


@task(
    help={"url": HELP_URL, "yes": "do not ask", "dry-run": "only show what would be dropped"},
    auto_shortflags=False,
)
def db_reap(_context: Context, url: str | None = None, yes: bool = False, dry_run: bool = False) -> None:
    """Drop the copies whose lease is over or whose creator has died, and what was killed in the making."""
    from greenroom.postgres import inventory

    found = inventory.survey(url)
    code = _drop([copy for copy in found.standing if copy.to_be_reaped], yes=yes, dry_run=dry_run)
    raise Exit(code=max(code, _told(found)))


def table(standing: list[Standing]) -> str:
    """The copies, a line each, under headings."""
    if not standing:
        return "No copies stand."
    rows = [("name", "server", "branch", "by", "made", "until", "size", "state"), *map(_row, standing)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(copy: Standing) -> tuple[str, ...]:
    lease, intent = copy.lease, copy.intent
    made = lease.made if lease else intent.made if intent else ""
    size = f"{copy.size_bytes / 1_000_000:.1f} MB" if copy.exists else "-"
    by, branch, until = (lease.by, lease.branch, lease.until) if lease else ("-", "-", "")
    return (copy.name, copy.server.server, branch, by, _time(made), _time(until), size, copy.state)


def _time(iso: str) -> str:
    """UTC, to the minute."""
    return iso[:16].replace("T", " ") or "-"


def _drop(copies: list[Standing], *, yes: bool, dry_run: bool) -> int:
    """Show them, ask, and drop exactly those."""
    from greenroom.postgres import inventory
    from greenroom.tasks.asking import agreed

    if not copies:
        print("Nothing is to be dropped.")
        return DONE
    print(table(copies))
    if dry_run:
        return DONE
    if not yes and not agreed(f"Drop {'this copy' if len(copies) == 1 else f'these {len(copies)} copies'}?"):
        return ANSWER_IS_NO
    for copy in copies:
        inventory.drop(copy)
        print(f"dropped {copy.name}")
    return DONE


def _told(found: Survey) -> int:
    """Say which servers did not answer: then the list may not be whole."""
    for problem in found.problems:
        print(problem)
    return COULD_NOT_RUN if found.problems else DONE
