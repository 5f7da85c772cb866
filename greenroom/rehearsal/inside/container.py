"""A container that holds the agent: the image's own Python and user, nothing to write on, no network but the copy."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from greenroom import shell
from greenroom.docker import Image
from greenroom.errors import GreenroomError
from greenroom.interrupts import shielded
from greenroom.postgres import cluster
from greenroom.postgres.address import Address
from greenroom.postgres.containers import LABEL
from greenroom.postgres.lease import Lease
from greenroom.rehearsal.agent_process import AGENT
from greenroom.rehearsal.inside.address import CERTIFICATE, LOOPBACK, MOUNTED, certificate_of, endpoint, is_name

RELAY = Path(__file__).with_name("relay.py")
SOCKET = "copy"
GONE_SECONDS = 20.0
SEALED = (
    *("--read-only", "--tmpfs", "/tmp"),  # noqa: S108
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--log-driver", "none"),  # the engine would write down what the agent says: SQL as it runs
    *("--no-healthcheck", "--pull", "never"),
)


@dataclass(frozen=True)
class Container:
    """What is to be run: `python` is the image's, `copy` where the copy's server is, None: nowhere to go.

    It bears the lease, by which `db-reap` finds it. `shared` are directories that it sees under their own paths, with
    whether it may write there. `network`: the engine's own network beside the copy. `keeps_state`: it is not removed
    when it ends, so that the engine can be asked how.
    """

    image: Image
    python: str
    lease: Lease
    copy: Address | None = None
    shared: Mapping[Path, bool] = field(default_factory=dict)
    network: bool = False
    keeps_state: bool = False

    @property
    def name(self) -> str:
        """As `docker ps` and `db-list` show it."""
        return f"greenroom-agent-{self.lease.id}"


@contextmanager
def made(container: Container) -> Iterator[Sequence[str | Path]]:
    """The words that start it and speak to the agent in it; when the block ends nothing is left of it.

    What it is asked goes by standard input, secrets with it: command lines and `docker inspect` show none. Raises
    GreenroomError where the engine refuses.
    """
    with ExitStack() as stack:
        mounted = _mounted(stack.enter_context(cluster.private_directory()), container)
        if container.copy:
            stack.enter_context(_relay(mounted / SOCKET, endpoint(container.copy)))
        try:
            with shielded():
                done = shell.run(creating(container, mounted), check=False)
            if done.code != 0:
                raise GreenroomError(
                    f"Docker could not make a container of {container.image.name}: {shell.last_line(done.stderr)}",
                    "`docker ps -a` shows what it has.",
                )
            yield ["docker", "start", "--attach", "--interactive", container.name]
        finally:
            with shielded():
                _remove(container.name)


def _remove(name: str) -> None:
    """And see it gone: one that the engine is removing by itself is refused to us, and still there for a moment."""
    until = time.monotonic() + GONE_SECONDS
    while True:
        shell.run(["docker", "rm", "--force", "--volumes", name], check=False)
        there = shell.run(["docker", "container", "inspect", "--format", "{{.Id}}", name], check=False)
        if there.code != 0 or time.monotonic() > until:
            return
        time.sleep(0.1)


def creating(container: Container, mounted: Path) -> list[str | Path]:
    """The words that make it; `mounted` is the directory with the agent, the relay and the socket."""
    words: list[str | Path] = ["docker", "create", "--interactive", "--name", container.name]
    words += ["--label", f"{LABEL}={container.lease.comment()}", *SEALED]
    words += [] if container.keeps_state else ["--rm"]
    words += ["--network", "bridge" if container.network else "none", "--env", "PYTHONUNBUFFERED=1"]
    words += ["--mount", _bind(mounted, Path(MOUNTED), writable=False)]
    for directory, writable in container.shared.items():
        words += ["--mount", _bind(directory, directory, writable=writable)]
    copy, agent = container.copy, f"{MOUNTED}/agent"
    if copy and is_name(copy.host) and copy.host != "localhost":
        words += ["--add-host", f"{copy.host}:{LOOPBACK}"]
    words += ["--entrypoint", container.python, container.image.id]
    return [*words, *([f"{MOUNTED}/relay.py", f"{LOOPBACK}:{copy.port}", f"{MOUNTED}/{SOCKET}"] if copy else []), agent]


def _bind(source: Path, target: Path, *, writable: bool) -> str:
    """A value of `--mount`: comma-separated fields, quoted, since a path may have a comma."""
    fields = ["type=bind", f"source={source}", f"target={target}", *([] if writable else ["readonly"])]
    return ",".join('"{}"'.format(one.replace('"', '""')) for one in fields)


def _mounted(private: Path, container: Container) -> Path:
    """The agent and the relay where every user of an image may read them, whatever the checkout's modes are."""
    place = private / "mounted"
    shutil.copytree(AGENT, place / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(RELAY, place / RELAY.name)
    certificate = certificate_of(container.copy) if container.copy else None
    if certificate:
        shutil.copy(certificate, place / CERTIFICATE)
    for path in (place, *place.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return place


@contextmanager
def _relay(socket: Path, target: str) -> Iterator[None]:
    """A process of its own, which ends with this one: its standard input does."""
    process = shell.spawn(
        [sys.executable, RELAY, socket, target], stdin=shell.PIPE, stdout=shell.PIPE, start_new_session=True
    )
    assert process.stdin and process.stdout
    try:
        if not process.stdout.readline():
            raise GreenroomError("the way from the container to the copy could not be opened.", "Run it again.")
        yield
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()
