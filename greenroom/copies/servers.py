"""Where a copy is restored: a private server that lives as long as the task, a container, or a server that is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psycopg

from greenroom.console import Progress
from greenroom.copies.acquiring import DOCKER, EMBEDDED, CopyRequest
from greenroom.postgres import archive as archives
from greenroom.postgres import binaries as programs
from greenroom.postgres import branch, event_triggers, roles
from greenroom.postgres.address import Address
from greenroom.postgres.archive import Archive
from greenroom.postgres.binaries import Binaries
from greenroom.postgres.embedded import Server, embedded
from greenroom.postgres.lease import Lease
from greenroom.postgres.server import connect, facts


class OwnServer(Protocol):
    """A server that was started for the copy: its superuser is ours, and it goes with the copy."""

    @property
    def address(self) -> Address:
        """Its superuser's, in the database postgres."""

    @property
    def label(self) -> str:
        """For people."""

    def durable(self, settings: Mapping[str, str] = ...) -> list[str]:
        """Until now made for loading; from now on as the source's. Returns what could not be taken over."""


class Container(OwnServer, Protocol):
    """One that Docker runs."""

    def keep(self) -> str:
        """From now on it outlives the block. The name by which it can be dropped."""


@dataclass
class Place:
    """Where it is restored: `maintenance` is the address that says CREATE DATABASE; `own` is None on a given server.

    `ownership`: whether things can be given to the roles that own them in the source; `missing`: of those roles, the
    ones that are not there yet, or for another copy.
    """

    maintenance: Address
    label: str
    own: OwnServer | None
    superuser: bool
    ownership: bool
    missing: tuple[str, ...]
    log: Path | None = None
    notes: list[str] = field(default_factory=list)

    container: Container | None = None

    @property
    def embedded(self) -> Server | None:
        """The private server, where it is one: its data directory is at hand."""
        return self.own if isinstance(self.own, Server) else None

    @property
    def nearest(self) -> Address:
        """What rows travel by: the private socket, where there is one."""
        return self.embedded.local if self.embedded else self.maintenance


@dataclass
class Ahead:
    """An embedded server that is started while the source is still read; it ends with `stack`."""

    stack: ExitStack
    chosen: Binaries
    server: Server | None = None

    def start(self) -> None:
        """Unless it runs already. Raises GreenroomError when it does not start."""
        self.server = self.server or self.stack.enter_context(embedded(binaries=self.chosen))

    def taken(self, wanted: Binaries) -> Server | None:
        """The running one; where other programs are wanted it is thrown away."""
        if self.server and self.chosen == wanted:
            return self.server
        self.stack.close()
        return None


@contextmanager
def place(
    request: CopyRequest, archive: Archive, terms: Lease, progress: Progress, ahead: Ahead | None = None
) -> Iterator[Place]:
    """The server of `--server`, after a look at what the archive needs; `ahead` is one that may run already.

    Raises GreenroomError for what it lacks.
    """
    if request.server == EMBEDDED:
        chosen = server_for(archive.contents.server_major, archive.extensions)
        server = ahead.taken(chosen) if ahead else None
        with nullcontext(server) if server else _started(chosen, progress) as server:
            yield _own(server, archive, server.data.parent / "log")
    elif request.server.startswith(DOCKER):
        from greenroom.postgres import containers

        with containers.server(request.server.removeprefix(DOCKER), terms, progress) as container:
            found = _own(container, archive, None)
            found.container = container
            yield found
    else:
        yield _given(Address.parse(request.server), archive)


@contextmanager
def _started(chosen: Binaries, progress: Progress) -> Iterator[Server]:
    progress.step(f"starting an embedded PostgreSQL {chosen.major} server")
    with embedded(binaries=chosen) as server:
        yield server


def server_for(major: int, extensions: Iterable[str]) -> Binaries:
    """Of the source's own major version where it has the extensions, else the newest: what is closest is truest."""
    able = [found for found in programs.found() if found.can_serve and found.major >= major]
    whole = [found for found in able if found.extensions.issuperset(extensions)]
    same = [found for found in whole if found.major == major]
    return next(iter(same), None) or max(whole, key=lambda found: found.major, default=None) or programs.newest()


def _own(server: OwnServer, archive: Archive, log: Path | None) -> Place:
    found = Place(server.address, server.label, server, superuser=True, ownership=True, missing=(), log=log)
    with connect(found.nearest) as connection:
        _refuse(connection, archive, server.label)
        event_triggers.off_for_us(connection)
    return found


def _given(address: Address, archive: Archive) -> Place:
    maintenance = branch.maintenance(address)
    with connect(maintenance) as connection:
        branch.refuse_standby(connection, address.server)
        _refuse(connection, archive, address.server)
        wanted, owners = roles.named_in(archive.contents), roles.owners_in(archive.contents)
        needed = roles.needed_to_own(connection, owners)
        ownership = not needed
        own = roles.existing(connection) - roles.stubs(connection)
        missing = wanted - own if ownership and roles.may_create_roles(connection) else set()
        found = Place(maintenance, address.server, None, facts(connection).superuser, ownership, tuple(sorted(missing)))
    if not ownership:
        found.notes.append(
            f"{address.user} may not act for every role that owns something in the source: restored without owners and "
            f"privileges, so everything belongs to it; a superuser can change that: {'; '.join(needed)}"
        )
    return found


def _refuse(connection: psycopg.Connection, archive: Archive, label: str) -> None:
    archives.refuse_older_server(archive, connection.info.server_version // 10000, label)
    available = {name for (name,) in connection.execute("SELECT name FROM pg_available_extensions")}
    archives.refuse_missing(archive, available, archives.built_with(connection), label)
