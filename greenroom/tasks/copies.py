"""Copies to work on: `db-check`, `db-pull`, `db-branch`."""

from __future__ import annotations

from invoke import Context, task

HELP_TARGET = "a database of [tool.greenroom.databases]"


@task(
    help={
        "target": HELP_TARGET,
        "remote": "look at what a branch beside it would need, instead of a copy here",
        "server": "where it would be restored: embedded (default), docker:postgres:17 or postgresql://...",
        "via-file": "as with db-pull",
    },
    auto_shortflags=False,
)
def db_check(
    _context: Context,
    target: str | None = None,
    remote: bool = False,
    server: str | None = None,
    via_file: bool = False,
) -> None:
    """Look at a target before it is copied: can it be reached, read and restored, is there room, what is not masked."""
    from greenroom.copies.standing import Options, look
    from greenroom.interrupts import answered

    with answered():
        print(look(Options(target=target, remote=remote, server=server, via_file=via_file)))


@task(
    help={
        "target": HELP_TARGET,
        "server": "where it is restored: embedded (default), docker:postgres:17 or postgresql://...",
        "via-file": "leave the archive on the VPN host until it is here; survives outages of 2 minutes",
        "refresh": "copy anew, even where a snapshot is here",
    },
    auto_shortflags=False,
)
def db_pull(
    _context: Context,
    target: str | None = None,
    server: str | None = None,
    via_file: bool = False,
    refresh: bool = False,
) -> None:
    """Copy a target here, named after the git branch, and keep it; prints how the app is run on it."""
    from greenroom.copies.standing import Options, make
    from greenroom.interrupts import answered

    with answered():
        print(make(Options(target=target, server=server, via_file=via_file, refresh=refresh)))


@task(
    help={
        "target": HELP_TARGET,
        "template": "copy by CREATE DATABASE ... TEMPLATE; makes new connections to the source wait",
    },
    auto_shortflags=False,
)
def db_branch(_context: Context, target: str | None = None, template: bool = False) -> None:
    """Copy a target beside itself on its own server, named after the git branch, and keep it."""
    from greenroom.copies.standing import Options, make
    from greenroom.interrupts import answered

    with answered():
        print(make(Options(target=target, remote=True, template=template)))
