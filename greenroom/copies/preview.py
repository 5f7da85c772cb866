"""`db-check`: all that can be found out of a target before a copy of it is made, by the steps that a copy begins with.

What a copy would refuse, this refuses; nothing is made but a server of our own, empty and for a moment.
"""

from __future__ import annotations

import re
from contextlib import ExitStack

from greenroom.config import PostgresTarget
from greenroom.console import Progress
from greenroom.copies import branches, pulls
from greenroom.copies.acquiring import EMBEDDED, CopyRequest, refuse_contradictions
from greenroom.copies.origin import Origin
from greenroom.copies.servers import place
from greenroom.errors import GreenroomError
from greenroom.postgres import archive as archives
from greenroom.postgres import cluster, dumping, masking, room
from greenroom.postgres.lease import Lease
from greenroom.postgres.masking import Rule
from greenroom.postgres.server import asking, connect, facts

Line = tuple[str, str]
_NAMED = 12  # of the columns; the rest is a number
# Parts of a column's name; a hint, and no more: what it misses may be personal, what it finds may be none.
_PERSONAL = re.compile(
    r"e?mail|phone|mobile|fax|(first|last|sur|given|family|full|user|middle|maiden)_?name|street|address|zip|postal|"
    r"birth|gender|iban|bic|card|account_?(no|number)|tax|vat|ssn|passport|licen[cs]e|password|passwd|secret|token|"
    r"api_?key|session|signature|salary|diagnos|latitude|longitude",
    re.IGNORECASE,
)


def check(request: CopyRequest, progress: Progress) -> list[Line]:
    """What a copy of the target would be, in lines of name and text. Raises GreenroomError for what keeps it away."""
    refuse_contradictions(request)
    target = request.config.target(request.target or "")
    if not isinstance(target, PostgresTarget):
        raise GreenroomError(
            f"{request.target} is of kind {target.kind}: its engine makes the copy, and is asked when it is made.",
            f"Try it: ./inv migrate-rehearse --target {request.target}",
        )
    with ExitStack() as connections:
        if request.remote:
            return _beside(request, target, connections, progress)
        return _here(request, target, connections, progress)


def told(lines: list[Line]) -> str:
    """For the terminal."""
    return "\n".join(f"{name:<12} {text}" for name, text in lines)


def _beside(request: CopyRequest, target: PostgresTarget, connections: ExitStack, progress: Progress) -> list[Line]:
    wanted, found, way, notes = branches.look(request, connections, progress)
    where = f"on {way.there.host.label}" if way.there else "from here, through a tunnel" if found.via else "from here"
    return [
        _source(request, found),
        ("copy", f"a branch of {found.real.database} on its own server, made {where}"),
        *[("note", note) for note in [*notes, *([way.note] if way.note else []), *_left_behind(found)]],
        *_rows(target, found, list(wanted.rules)),
    ]


def _here(request: CopyRequest, target: PostgresTarget, connections: ExitStack, progress: Progress) -> list[Line]:
    scratch = connections.enter_context(cluster.private_directory())
    seen = pulls.look(request, scratch, connections, progress)
    progress.step(f"reading the schema of {seen.origin.real.database}")
    seen.road.look(seen.origin, scratch / "schema", progress)
    archive = archives.inspect(scratch / "schema", archives.of_database(seen.origin.real.database))
    terms = Lease.new(branch=request.branch, source=str(seen.origin.real), hours=request.lease_hours)
    with place(request, archive, terms, progress) as where, connect(where.maintenance) as connection:
        copy, notes = f"restored on {where.label}, PostgreSQL {facts(connection).version}", where.notes
    return [
        _source(request, seen.origin),
        ("way", seen.road.described),
        ("copy", copy),
        *([("room", f"{room.told(room.free_bytes(scratch))} free here")] if request.server == EMBEDDED else []),
        *([("extensions", f"{', '.join(archive.extensions)}: all there")] if archive.extensions else []),
        *[("note", note) for note in [*notes, *_left_behind(seen.origin)]],
        *_rows(target, seen.origin, seen.rules),
    ]


def _source(request: CopyRequest, origin: Origin) -> Line:
    via = f" through {origin.via}" if origin.via else ""
    size = room.told(origin.facts.size_bytes)
    return "source", f"{request.target}: {origin.real}{via}: {size}, PostgreSQL {origin.facts.version}"


def _left_behind(origin: Origin) -> list[str]:
    return dumping.left_behind(origin.subscriptions, origin.mapped_servers, cron=origin.has_cron)


def _rows(target: PostgresTarget, origin: Origin, rules: list[Rule]) -> list[Line]:
    """Which rows stay there, what is masked, and what looks as if it should be."""
    with asking(origin.real), connect(origin.address, read_only=True) as connection:
        lacking = masking.uncovered(connection, rules)
        objects = masking.has_large_objects(connection)
        ruled = {str(rule) for rule in rules}
        bare = [column for column in masking.wordy(connection, origin.excluded) if column not in ruled]
    personal = [column for column in bare if _PERSONAL.search(column.rpartition(".")[2])]
    told: list[Line] = []
    if origin.excluded:
        stay = sum(origin.sizes.get(name, 0) for name in origin.exact_names)
        told.append(("left out", f"the rows of {', '.join(origin.excluded)} ({room.told(stay)})"))
    if objects and not origin.large_objects:
        told.append(("left out", "the large objects"))
    if masked := [str(rule) for rule in rules if rule.changes]:
        told.append(("masked", _named(masked)))
    if personal:
        told.append(("unmasked", f"{_named(personal)}: by their names they may be personal; docs/masking.md"))
    unmasked = objects and origin.large_objects
    if target.sensitive and (lacking or not rules or unmasked):
        why = f"no rule for {_named(lacking)}" if lacking else "large objects" if rules else "it has no masks"
        told.append(("sensitive", f"no copy of it can be kept: {why}"))
    return told


def _named(columns: list[str]) -> str:
    more = len(columns) - _NAMED
    return ", ".join(columns[:_NAMED]) + (f" and {more} more" if more > 0 else "")
