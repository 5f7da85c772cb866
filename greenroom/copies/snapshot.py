"""Starting from a snapshot: a clone of a copy that was restored before, instead of restoring it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from psycopg import sql

from greenroom.console import Progress
from greenroom.copies import keeping
from greenroom.copies.acquiring import EMBEDDED, Acquired, CopyRequest
from greenroom.copies.meter import duration
from greenroom.copies.restored import KeepSnapshot, made_true, ready
from greenroom.copies.servers import Place
from greenroom.postgres import event_triggers, lease, roles, snapshots
from greenroom.postgres.holding import held_with_server
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import ServerFacts, connect
from greenroom.postgres.snapshots import Contents, Key, Snapshot


def started(
    key: Key,
    database: str,
    request: CopyRequest,
    stack: ExitStack,
    progress: Progress,
    *,
    ages: bool,
    covered: bool = False,
) -> Acquired | None:
    """A copy of `database` from the snapshot of `key`, held by `stack`; None where there is none that may be used.

    `ages`: the source changes, so the snapshot must be young. `covered`: it must be masked well enough to be kept.
    """
    if request.refresh or request.server != EMBEDDED:
        return None
    found = snapshots.find(key, request.config.snapshots.max_age_hours if ages else None)
    if found is None or found.contents is None or (covered and not found.contents.covered):
        return None
    try:
        return stack.enter_context(_copy(found, found.contents, database, request, progress))
    except snapshots.Gone:
        return None


def keeper(
    key: Key,
    request: CopyRequest,
    facts: ServerFacts,
    settings: Mapping[str, str],
    masks: Sequence[str],
    *,
    ages: bool,
    covered: bool = False,
) -> KeepSnapshot:
    """What keeps a snapshot of a restored copy; `ages` and `covered` are as `started` has them."""
    tables = request.config.snapshots

    def keep(where: Place, name: str) -> None:
        assert where.embedded is not None
        with connect(where.maintenance.at(name)) as connection:
            owner = roles.owner_of_tables(connection)
        contents = Contents(name, owner, facts, settings, tuple(where.notes), tuple(masks), covered)
        age = tables.max_age_hours if ages else None
        stored = snapshots.store(where.embedded, key, contents, limit_gb=tables.limit_gb, max_age_hours=age)
        where.notes += stored.told

    return keep


@contextmanager
def _copy(
    found: Snapshot, contents: Contents, database: str, request: CopyRequest, progress: Progress
) -> Iterator[Acquired]:
    age = duration(found.age.total_seconds())
    progress.step(f"cloning the snapshot {found.name}, {age} old")
    terms = Lease.new(branch=request.branch, source=found.source, hours=request.lease_hours, kept=request.keep)
    name = lease.copy_name(database, request.branch)
    with snapshots.cloned(found) as server, held_with_server(server.address, name, terms) as copy:
        names = (sql.Identifier(contents.database), sql.Identifier(name))
        copy.connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))
        copy.grant()
        event_triggers.off_for_us(copy.connection)
        where = Place(server.address, server.label, server, superuser=True, ownership=True, missing=())
        progress.step("starting the server anew, with the source's settings")
        where.notes += [*contents.notes, *made_true(server, contents.settings)]
        where.notes.append(f"from a snapshot that is {age} old: what came to the source since is not in it")
        acquired = ready(where, copy, "snapshot", contents.facts)
        yield acquired
        if request.keep:
            keeping.keep(request, where, terms, acquired)
    acquired.dropped = not request.keep
