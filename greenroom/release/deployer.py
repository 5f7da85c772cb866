"""What shifts the traffic, as the rest of this room sees it: nothing here knows which service of AWS does it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

State = Literal["waiting", "in progress", "baking", "ready", "succeeded", "failed", "stopped"]
OVER: tuple[State, ...] = ("succeeded", "failed", "stopped")


@dataclass(frozen=True)
class Phase:
    """One step of a deployment. `message` is what its hook said, where it said something."""

    name: str
    status: Literal["pending", "in progress", "succeeded", "failed", "skipped"]
    seconds: float | None = None
    message: str = ""


@dataclass(frozen=True)
class Side:
    """Blue or green: how many tasks it has, and how much of the traffic, in percent."""

    label: str
    traffic: float
    desired: int
    running: int
    pending: int
    target_group: str | None


@dataclass(frozen=True)
class Progress:
    """A deployment at one moment. `rollback` is the deployment that takes it back, where there is one.

    `takes_back`: it is itself one that takes another back.
    """

    id: str
    state: State
    phases: tuple[Phase, ...] = ()
    sides: tuple[Side, ...] = ()
    reason: str = ""
    rollback: str | None = None
    description: str = ""
    task_definition: str | None = None
    takes_back: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing more will happen in it."""
        return self.state in OVER

    @property
    def traffic(self) -> str:
        """`blue 90 %, green 10 %`."""
        return ", ".join(f"{side.label} {side.traffic:g} %" for side in self.sides)

    @property
    def untouched(self) -> bool:
        """Whether all of the traffic is where it was: nothing has begun, or blue has it."""
        return all(side.traffic == (100.0 if side.label == "blue" else 0.0) for side in self.sides)

    @property
    def failed_phase(self) -> Phase | None:
        """The step that went wrong."""
        return next((phase for phase in self.phases if phase.status == "failed"), None)


@dataclass(frozen=True)
class Past:
    """A deployment that succeeded."""

    id: str
    task_definition: str
    created: datetime


@dataclass(frozen=True)
class Wiring:
    """What the deployer will do it with; listener and target groups by name or ARN.

    `wait_minutes` is how long it waits for somebody to say go on, `shift_minutes` from the first traffic to all of it.
    `alarms` are those that stop a deployment while one of them is in ALARM. After which ends it is taken back by itself
    `failure_rolls_back` and `alarm_rolls_back` say: each is an event of its own in the deployment group.
    """

    service: str
    listener: str | None
    target_groups: tuple[str, ...]
    role: str | None
    bake_minutes: int
    failure_rolls_back: bool
    alarm_rolls_back: bool
    wait_minutes: int = 0
    shift_minutes: int = 0
    alarms: tuple[str, ...] = ()


class Deployer(Protocol):
    """Moves a service to a task definition by blue/green. Every method raises AwsError."""

    def wiring(self) -> Wiring:
        """How it is set up. Raises GreenroomError where it is not, or for something else."""

    def start(self, task_definition: str, appspec: str, description: str, *, past_alarms: bool = False) -> str:
        """Begin; the deployment's id. With `past_alarms` no alarm stops it."""

    def progress(self, deployment: str) -> Progress:
        """Where it is."""

    def under_way(self) -> str | None:
        """The deployment that is not over yet."""

    def newest(self) -> str | None:
        """The last deployment, over or not."""

    def history(self) -> list[Past]:
        """Those that succeeded, the newest first."""

    def stop(self, deployment: str) -> None:
        """Break it off, and let the traffic go back to where it was."""
