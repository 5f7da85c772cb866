"""A private directory on the VPN host that is gone afterwards, also when we are killed or the connection is cut.

A shell there holds it: it removes the directory when told, or a while after nobody is there to tell it. What neither it
nor we could remove, `traces` knows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.ssh import scripts, traces
from greenroom.ssh.dialling import Unreachable
from greenroom.ssh.remote import Remote

if TYPE_CHECKING:
    from greenroom.ssh.host import Host

GRACE_SECONDS = 300  # how long an interrupted transfer may take to come back
ALIVE_SECONDS = 60.0  # how often it says that it has


@contextmanager
def held(host: Host) -> Iterator[str]:
    """The directory's path there. Raises GreenroomError when none can be made."""
    with traces.noted(host.via, host.config) as trace, ExitStack() as talk:
        holder: Remote | None = None
        try:
            holder = talk.enter_context(host.talking(scripts.HOLDER, [trace.directory, str(GRACE_SECONDS)]))
            yield _place(host, holder)
        finally:
            with shielded():
                _remove(host, holder, trace)


def keep_alive(host: Host, path: str) -> None:
    """Over a new connection: somebody still needs the private directory that `path` lies in."""
    parent = path.rpartition("/")[0]
    if parent.rpartition("/")[2].startswith(traces.PREFIX):
        host.run(["touch", f"{parent}/.alive"], check=False)


def _place(host: Host, holder: Remote) -> str:
    said = b""
    while not said.endswith(b"\n"):
        more = holder.read(4096)
        if not more:
            holder.wait()
            raise GreenroomError(
                f"{host.label} makes no private directory: {holder.stderr.strip() or 'it says nothing'}.",
                "Free some space in /var/tmp there, or leave --via-file out.",
            )
        said += more
    return said.decode().removesuffix("\n")


def _remove(host: Host, holder: Remote | None, trace: traces.Trace) -> None:
    """By the holder; when the connection is gone, over a new one."""
    with suppress(Unreachable):
        if holder:
            holder.say("remove")
            if holder.wait() == 0:
                return trace.forget()
    try:
        trace.remove()
    except GreenroomError as error:
        print(
            f"{trace.directory} on {host.label} could not be removed ({error.sentence}) It goes there by itself within "
            f"{GRACE_SECONDS // 60} minutes; to be sure: ./inv db-reap",
            file=sys.stderr,
            flush=True,
        )
