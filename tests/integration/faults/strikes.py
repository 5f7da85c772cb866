"""What befalls a rehearsal in the middle of a phase."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.integration.faults.brakes import Brake, at
from tests.integration.faults.circumstances import fill
from tests.integration.faults.stage import Run, Stage

Strike = Callable[[Stage, Run, Brake], None]
RELEASE_SECONDS = 0.3  # what is shielded goes on for so long with the signal waiting


def ctrl_c(stage: Stage, run: Run, brake: Brake) -> None:
    """As a terminal has it: to the command and every child in its group."""
    os.killpg(run.process.pid, signal.SIGINT)
    _let_go_of_a_drop(run, brake)


def ctrl_c_twice(stage: Stage, run: Run, brake: Brake) -> None:
    """By somebody who does not wait."""
    os.killpg(run.process.pid, signal.SIGINT)
    time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.killpg(run.process.pid, signal.SIGINT)
    _let_go_of_a_drop(run, brake)


def terminate(stage: Stage, run: Run, brake: Brake) -> None:
    """As a service manager or a build machine has it: to the command alone."""
    run.process.terminate()
    _let_go_of_a_drop(run, brake)


def hang_up(stage: Stage, run: Run, brake: Brake) -> None:
    """The terminal has been closed."""
    os.killpg(run.process.pid, signal.SIGHUP)


def kill(stage: Stage, run: Run, brake: Brake) -> None:
    """Nothing of the command's own runs after this."""
    run.process.kill()


def cut(stage: Stage, run: Run, brake: Brake) -> None:
    """Every SSH connection dies; the host is there for new ones."""
    assert stage.host.cut() > 0
    brake.release()


def restart_source(stage: Stage, run: Run, brake: Brake) -> None:
    stage.source.restart()
    brake.release()


def kill_copys_server(stage: Stage, run: Run, brake: Brake) -> None:
    """As the system does it when memory is short, and it meets the postmaster."""
    (pid,) = stage.scratch.glob("greenroom-*/*/data/postmaster.pid")
    os.kill(int(pid.read_text().split()[0]), signal.SIGKILL)


def kill_copys_session(stage: Stage, run: Run, brake: Brake) -> None:
    """The same, when it meets a session: the server throws everybody out, and starts again."""
    for pid in at(stage, ".*"):
        os.kill(pid, signal.SIGKILL)
        return


def fill_disk_here(stage: Stage, run: Run, brake: Brake) -> None:
    """By somebody else: what was free when the command looked is so no more."""
    _full(stage.scratch, run, brake)


def fill_disk_of_host(stage: Stage, run: Run, brake: Brake) -> None:
    _full(stage.host.remote_tmp, run, brake)


def nothing(stage: Stage, run: Run, brake: Brake) -> None:
    """The fault was there before."""


STRIKES: dict[str, Strike] = {
    "nothing": nothing,
    "SIGINT": ctrl_c,
    "SIGINT twice": ctrl_c_twice,
    "SIGTERM": terminate,
    "SIGHUP": hang_up,
    "SIGKILL": kill,
    "SSH cut": cut,
    "source restarted": restart_source,
    "copy's server killed": kill_copys_server,
    "copy's session killed": kill_copys_session,
    "disk full here": fill_disk_here,
    "disk full on the VPN host": fill_disk_of_host,
}


def _let_go_of_a_drop(run: Run, brake: Brake) -> None:
    """A drop is not given up: it has to be let go before the command can end."""
    if "  dropping " in run.said:
        time.sleep(RELEASE_SECONDS)
        brake.release()


def _full(disk: Path, run: Run, brake: Brake) -> None:
    somebody_elses = fill(disk)
    brake.release()
    run.wait()
    somebody_elses.unlink()
