"""Rehearsing: `migrate-rehearse`."""

from __future__ import annotations

from invoke import Context, task


@task(
    help={
        "dump": "a custom- or directory-format archive of pg_dump: restored on --server",
        "url": "postgresql://USER@HOST:PORT/DATABASE: a copy is made on that server itself",
        "target": "a database of [tool.greenroom.databases]: copied here, through its VPN host",
        "remote": "with --target: copy it to a branch on its own server instead",
        "via-file": "with --target: the archive waits on the VPN host until it is here; outlives a cut of 2 minutes",
        "refresh": "with --target or --dump: copy anew, even where a snapshot is here",
        "server": "where it is restored: embedded (default), docker:postgres:17 or postgresql://...",
        "project": "directory of a Django project that is not ours (with --dump, --url or --target)",
        "settings": "its settings module; with --image, the one in the image",
        "python": "its interpreter (default: its .venv, else this one)",
        "image": "run the project in this image, or this tag of ./inv build's: its own Python, dependencies and user",
        "database": "alias in DATABASES (default: default)",
        "migrate-to": "app, or app.migration, to migrate to; repeatable (default: everything)",
        "budget-read-ms": "longest that a reader may stand still, in milliseconds",
        "budget-write-ms": "longest that a writer may stand still, in milliseconds",
        "timeout": "seconds after which a migration that hangs is stopped",
        "template": "with --url or --remote: copy by TEMPLATE; new connections to the source wait meanwhile",
        "drills": "back, old-release, lock-queue, crash: which to hold, by commas, or none (default: all that apply)",
        "try-twin": "rehearse a safe twin too, where it can be written mechanically; its files go beside the report",
        "base": "the release that is running, as git knows it (default: the newest tag before HEAD)",
        "base-image": "the image of the release that is running, instead of --base",
        "base-environment": "the image that serves there, of [tool.greenroom.environments], instead of --base",
        "base-check": "a command of the running release, its smoke tests, to run on the new schema",
        "keep": "keep the copy; db-drop drops it",
        "allow-network": "let the app reach the network, e-mail and caches while it migrates",
        "format": "text (default), or github: annotations beside the migrations' lines, and the step's summary",
        "report-dir": "directory of the reports (default: build/rehearsals)",
    },
    iterable=["migrate_to"],
    auto_shortflags=False,
)
def migrate_rehearse(
    _context: Context,
    dump: str | None = None,
    url: str | None = None,
    target: str | None = None,
    remote: bool = False,
    via_file: bool = False,
    refresh: bool = False,
    server: str | None = None,
    project: str | None = None,
    settings: str | None = None,
    python: str | None = None,
    image: str | None = None,
    database: str | None = None,
    migrate_to: list[str] | None = None,
    budget_read_ms: float | None = None,
    budget_write_ms: float | None = None,
    timeout: float | None = None,
    template: bool = False,
    drills: str | None = None,
    try_twin: bool = False,
    base: str | None = None,
    base_image: str | None = None,
    base_environment: str | None = None,
    base_check: str | None = None,
    keep: bool = False,
    allow_network: bool = False,
    format: str = "text",
    report_dir: str | None = None,
) -> None:
    """Rehearse the pending migrations on a throw-away copy of the data, and judge what was measured.

    Without a source: embedded PostgreSQL, the app at an earlier state, and demo data. Exit code 0: pass or warn;
    1: fail; 2: the rehearsal could not be held.
    """
    from greenroom.interrupts import answered
    from greenroom.rehearsal.command import Options, migrate_rehearse

    given = {name: value for name, value in locals().items() if name in Options.__dataclass_fields__}
    with answered():
        if base_environment is None:
            raise SystemExit(migrate_rehearse(Options(**given)))
        from greenroom.release import running

        raise SystemExit(migrate_rehearse(Options(**given), running.image))
