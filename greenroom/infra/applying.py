"""Plan, and apply exactly what was planned."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from greenroom.console import Progress
from greenroom.errors import GreenroomError
from greenroom.infra import plan as plans
from greenroom.infra import terraform
from greenroom.infra.plan import Change
from greenroom.infra.refusals import complete, failure, text_of
from greenroom.infra.stack import Stack
from greenroom.infra.terraform import Message, Stopped

LOCK_SECONDS = 10  # somebody else's apply is told, not waited for


@dataclass(frozen=True)
class Plan:
    """A plan in a file that only we read: it holds every value."""

    stack: Stack
    file: Path
    changes: list[Change]
    outputs_change: bool

    @property
    def empty(self) -> bool:
        """Whether applying it would do nothing at all."""
        return not (self.changes or self.outputs_change)


@dataclass
class Heard:
    """What `plan -json` has said so far: enough, where nothing is changed or replaced and nobody will ask why."""

    seen: int = 0
    changes: list[Change] = field(default_factory=list)
    outputs: bool = False

    def hear(self, message: Message, progress: Progress) -> None:
        """Take a message in."""
        kind = message.get("type")
        if kind in ("refresh_complete", "apply_complete"):
            self.seen += 1
            progress.detail(f"{self.seen} looked at")
        elif kind == "outputs":
            self.outputs = any(one.get("action") != "noop" for one in message["outputs"].values())
        elif change := plans.spoken(message):
            self.changes.append(change)

    @property
    def asks_why(self) -> bool:
        """Whether the plan itself must be looked at: to show one starts the provider again, for seconds."""
        return any(change.action in ("changed", "REPLACED") for change in self.changes)


@dataclass
class Applied:
    """What has happened so far, by address."""

    planned: int
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    under_way: list[str] = field(default_factory=list)

    def hear(self, message: Message, progress: Progress) -> None:
        """Take a message of `apply -json` in."""
        hook = message.get("hook") or {}
        address, kind = str((hook.get("resource") or {}).get("addr", "")), message.get("type")
        if kind == "apply_start":
            self.under_way.append(address)
        elif kind in ("apply_complete", "apply_errored") and address in self.under_way:
            self.under_way.remove(address)
            (self.done if kind == "apply_complete" else self.failed).append(address)
        if kind in ("apply_start", "apply_progress", "apply_complete"):
            at = f" {hook['elapsed_seconds']} s" if "elapsed_seconds" in hook else ""
            waiting = ", ".join(self.under_way[:3]) + (" ..." if len(self.under_way) > 3 else "")
            progress.detail(f"{len(self.done)} of {self.planned} · {waiting}{at}")


@contextmanager
def planned(stack: Stack, progress: Progress, *, destroy: bool = False, lock: bool = True) -> Iterator[Plan]:
    """A plan, for as long as the block lasts; its file is gone afterwards. Raises GreenroomError."""
    with TemporaryDirectory(prefix="greenroom-plan-") as place:
        file = Path(place) / "plan"
        progress.step("terraform plan: what is there, and what would be" + (" destroyed" if destroy else ""))
        heard = Heard()
        words = ["plan", "-json", "-input=false", f"-out={file}", f"-var-file={stack.values}"]
        words += [f"-lock-timeout={LOCK_SECONDS}s"] if lock else ["-lock=false"]
        words += ["-destroy"] if destroy else []
        complete(stack, "plan", words, progress, lambda message: heard.hear(message, progress))
        yield _read(stack, file) if heard.asks_why else Plan(stack, file, plans.ordered(heard.changes), heard.outputs)


def saved(stack: Stack, file: Path) -> Plan:
    """A plan that an earlier `tf-plan --out` wrote. Raises GreenroomError."""
    if not file.is_file():
        raise GreenroomError(
            f"there is no plan {file}.", f"Make it: ./inv tf-plan --environment {stack.environment.name} --out {file}"
        )
    shown = _shown(stack, file.resolve())
    _refuse_of_another(stack, shown, file)
    return _plan(stack, file.resolve(), shown)


def refuse_unkept(file: Path) -> None:
    """Before the plan is made. Raises GreenroomError where it could not be kept."""
    if file.is_dir():
        raise GreenroomError(f"{file} is a directory.", "Name a file in it: --out FILE")
    if not file.absolute().parent.is_dir():
        raise GreenroomError(f"there is no directory {file.absolute().parent}.", "Make it, or name another: --out FILE")


def keep(plan: Plan, file: Path) -> None:
    """For a later `tf-apply --plan`: readable by its owner alone, whatever was there before."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as kept:
        os.fchmod(kept.fileno(), 0o600)
        kept.write(plan.file.read_bytes())


def apply(plan: Plan, progress: Progress) -> Applied:
    """Apply exactly that plan. Raises GreenroomError, which says what has been applied until then."""
    stack, applied = plan.stack, Applied(len(plan.changes))
    progress.step(f"terraform apply: {plans.counted(plan.changes)}")
    words: list[str | Path] = ["apply", "-json", "-input=false", f"-lock-timeout={LOCK_SECONDS}s", plan.file]
    try:
        done = terraform.run(stack, words, progress, lambda message: applied.hear(message, progress))
    except Stopped as stopped:
        print(f"Stopped. {told(applied, cut_off=True, killed=stopped.killed)}", flush=True)
        raise stopped.by from None
    if done.code != 0:
        error = failure(stack, "apply the plan", done)
        raise GreenroomError(f"{error.sentence}\n{told(applied)}", error.hint)
    return applied


def told(applied: Applied, *, cut_off: bool = False, killed: bool = False) -> str:
    """What has been applied, for whoever must go on from there.

    The provider answers a stop by giving up the calls that are under way: AWS may carry them out all the same.
    """
    lines = [f"Applied: {len(applied.done)} of {applied.planned}."]
    lines += [f"  {address}" for address in applied.done] if len(applied.done) < applied.planned else []
    unsure = [*applied.under_way, *(applied.failed if cut_off else [])]
    lines += [f"Failed: {', '.join(applied.failed)}."] if applied.failed and not cut_off else []
    if unsure:
        lines.append(f"Cut off: {', '.join(unsure)}: it may be in AWS, and is not in the state.")
        lines.append("The next plan tells; what it cannot create because it is there: terraform import.")
    if killed:
        lines.append(
            "It was killed, perhaps before it had saved: the state may lack some of this, and be locked still."
        )
        lines.append("Run again: it says by whom it is locked, and how to unlock it.")
    return "\n".join(lines)


def outputs(stack: Stack) -> dict[str, Any]:
    """The outputs of the state, by name; what is sensitive is None. Raises GreenroomError."""
    found: Mapping[str, Any] = json.loads(text_of(stack, "read its outputs", ["output", "-json", "-no-color"]))
    return {name: None if one.get("sensitive") else one["value"] for name, one in found.items()}


def _read(stack: Stack, file: Path) -> Plan:
    return _plan(stack, file, _shown(stack, file))


def _shown(stack: Stack, file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text_of(stack, "show the plan", ["show", "-json", "-no-color", file]))
    return found


def _refuse_of_another(stack: Stack, shown: dict[str, Any], file: Path) -> None:
    """Terraform applies a kept plan to the state that it was made for, whatever environment is named."""
    there = stack.environment
    ours = {"environment": there.name, "account": there.account, "region": there.region}
    for name, wanted in ours.items():
        of = (shown.get("variables") or {}).get(name, {}).get("value")
        if of is not None and str(of) != wanted:  # a number, where the variable has no type
            raise GreenroomError(
                f"the plan {file} is of {name} {of}, and not of {wanted}.",
                f"Name the environment that it was made for, or make one: ./inv tf-plan --environment {there.name} "
                f"--out {file}",
            )


def _plan(stack: Stack, file: Path, shown: dict[str, Any]) -> Plan:
    changed = any(one.get("actions") != ["no-op"] for one in (shown.get("output_changes") or {}).values())
    return Plan(stack, file, plans.read(shown), changed)
