"""What stands of copies, in every room that makes something that can outlive its process."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from greenroom.config import AnyTarget, Config, PostgresTarget
from greenroom.errors import ANSWER_IS_NO, GreenroomError
from greenroom.postgres import cluster, journal, kept, snapshots
from greenroom.postgres.address import Address
from greenroom.postgres.journal import Intent
from greenroom.postgres.leftovers import standing_on
from greenroom.postgres.remains import Remains
from greenroom.postgres.snapshot_place import measured
from greenroom.postgres.way import Way, target_of, way_of

Room = Callable[[], list[Remains]]


@dataclass(frozen=True)
class Survey:
    """What stands where somebody answered, and a sentence for each place that did not."""

    standing: list[Remains]
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scope:
    """Where to look: on the server of a URL; or here, and then at one target or wherever we know that something was."""

    url: str | None = None
    target: str | None = None
    config: Config | None = None

    @property
    def databases(self) -> Mapping[str, AnyTarget]:
        """The configured targets."""
        return self.config.databases if self.config else {}


def survey(scope: Scope) -> Survey:
    """All that stands there. Raises GreenroomError for a URL or a target that does not answer."""
    found = Survey([])
    for room in rooms(scope, found.problems):
        found.standing.extend(room)
    return found


def named(scope: Scope, name: str) -> Remains:
    """The one called `name`, looked for on this machine first.

    Raises GreenroomError (exit code 1) where there is none, or it is not ours to drop: what is not marked is not.
    """
    problems: list[str] = []
    refusals: list[GreenroomError] = []  # a database that an engine ends may be called as its copy is
    for room in rooms(scope, problems):
        matching = [remains for remains in room if remains.name == name]
        if len(matching) > 1:
            places = ", ".join(remains.where for remains in matching)
            raise GreenroomError(
                f"there are {len(matching)} called {name}: {places}.",
                "Say which: --url or --target.",
                code=ANSWER_IS_NO,
            )
        if matching and matching[0].refusal is None:
            return matching[0]
        refusals += [remains.refusal for remains in matching if remains.refusal]
    if refusals:
        raise refusals[0]
    if problems:
        raise GreenroomError(f"{name} was not found, and not everybody answered:\n{problems[0]}")
    raise GreenroomError(
        f"{name} bears no lease and stands in no journal of ours, so it is not dropped.",
        "./inv db-list shows what can be (with --url, on a server that our journal does not know).",
        code=ANSWER_IS_NO,
    )


def rooms(scope: Scope, problems: list[str]) -> Iterator[list[Remains]]:
    """What each room has, what is near before what is far; what is not asked for by name may fail: a problem then."""
    if scope.url:
        yield standing_on(Way(Address.parse(scope.url)))
        return
    near: list[Room] = [kept.standing, _containers, _files, _directories]
    for room in near:
        yield _asked(room, problems)
    if scope.target and scope.config:
        yield _of_target(scope.target, scope.config.target(scope.target))
    else:
        yield from _far(scope, problems)


def _of_target(name: str, target: AnyTarget) -> list[Remains]:
    if isinstance(target, PostgresTarget):
        return standing_on(Way.to_target(target))
    from greenroom.postgres.engines.acquiring import standing

    return standing({name: target})


def _far(scope: Scope, problems: list[str]) -> Iterator[list[Remains]]:
    for intents in _servers().values():
        yield _asked(partial(_on_server, intents, scope), problems, _forgetting(intents))
    yield _asked(partial(_engines, scope, problems), problems)


def _on_server(intents: list[Intent], scope: Scope) -> list[Remains]:
    """As the role of a target, where one has made something there: its password is known."""
    targets = [target for target in scope.databases.values() if isinstance(target, PostgresTarget)]
    known = [intent for intent in intents if target_of(intent, targets)]
    return standing_on(way_of([*intents, *known][-1], targets))


def _asked(room: Room, problems: list[str], more: str = "") -> list[Remains]:
    try:
        return room()
    except GreenroomError as error:
        problems.append(f"{error}{more}")
        return []


def _containers() -> list[Remains]:
    from greenroom.postgres.containers import standing

    return standing()


def _files() -> list[Remains]:
    """Directories here whose owners were killed: archives and the data of copies lie in them, until somebody looks."""
    snapshots.listed()  # what was killed in the making goes by that
    return [
        Remains(
            kind="directory",
            name=str(path),
            where="this machine",
            made=datetime.fromtimestamp(path.with_suffix(".lock").stat().st_mtime, UTC).isoformat(),
            state="creator died",
            to_be_reaped=True,
            drop=partial(cluster.remove_if_abandoned, path),
            size_bytes=measured(path).taken,
        )
        for path in cluster.abandoned()
    ]


def _directories() -> list[Remains]:
    """On VPN hosts: archives lie there for a while with --via-file."""
    from greenroom.ssh import traces

    return [
        Remains(
            kind="directory",
            name=trace.directory,
            where=trace.via,
            made=trace.made,
            state="creator died",
            to_be_reaped=True,
            drop=trace.remove,
        )
        for trace in traces.standing()
    ]


def _engines(scope: Scope, problems: list[str]) -> list[Remains]:
    from greenroom.postgres.engines.acquiring import standing

    return standing(scope.databases, lambda error: problems.append(str(error)))


def _servers() -> dict[tuple[str, int, str], list[Intent]]:
    """The intents of each server on which the journal says that something was begun."""
    found: dict[tuple[str, int, str], list[Intent]] = {}
    for _, intent in journal.intents():
        found.setdefault((intent.host, intent.port, intent.via or ""), []).append(intent)
    return dict(sorted(found.items()))


def _forgetting(intents: list[Intent]) -> str:
    paths = shlex.join(str(journal.path_of(intent)) for intent in intents)
    return f"\n  Is it gone for good? Then forget it: rm {paths}"
