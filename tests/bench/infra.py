"""What `./inv tf-plan` costs beside `terraform plan`, on the whole of infra/terraform; and how long a release takes.

AWS is the stand-in of the tests, on loopback. Both sides plan in one checkout that has been prepared, with the same
options: a plan of everything before there is anything, and one of everything as it is. Terraform is called in turn by
our task and by itself; what is compared is from the command line to its end.

How long a release takes is arithmetic over what Terraform has then made (greenroom/release/timing.py).
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from greenroom import config
from greenroom.environment import registry
from greenroom.guard import Guard
from greenroom.release import files, place, timing
from greenroom.release.codedeploy import CodeDeploy
from tests.bench.figures import at_most, compare
from tests.infra.checkout import Checkout, checked_out
from tests.infra.cloud import filled
from tests.infra.gaps import ACCOUNT
from tests.infra.module import need_terraform

ROUNDS = 7
MOST_RATIO = 1.1
MOST_SECONDS = 90.0  # from the start of a deployment to traffic on green
OURS = "./inv tf-plan --environment staging"
THEIRS = (
    "terraform -chdir=infra/terraform plan -input=false -lock=false -var-file=environments/staging.tfvars -out=$OUT"
)


def run() -> bool:
    """Print both ratios and the arithmetic; true when all are within their limits."""
    need_terraform()
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as directory, filled() as (cloud, _kept):
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        checkout = checked_out(Path(directory), cloud.url)
        must(checkout, "./inv tf-bootstrap --environment staging && ./inv hook-package")
        reached = [plans(checkout, "a plan of everything, nothing there yet")]
        must(checkout, "./inv tf-apply --environment staging")
        reached.append(plans(checkout, "a plan of everything, all there"))
        for name, value in checkout.environment.items():
            patch.setenv(name, value)
        reached.append(release(checkout))
    return all(reached)


def plans(checkout: Checkout, what: str) -> bool:
    """In turn, each round begun by the other side; one round before, so that all is read and compiled."""
    sides: dict[str, list[float]] = {OURS: [], THEIRS: []}
    for side in sides:
        seconds(checkout, side)
    for number in range(ROUNDS):
        for side in (OURS, THEIRS) if number % 2 else (THEIRS, OURS):
            sides[side].append(seconds(checkout, side))
    pairs = [ours / theirs for ours, theirs in zip(sides[OURS], sides[THEIRS], strict=True)]
    print(f"  ratios of the rounds {min(pairs):.3f} to {max(pairs):.3f}")
    return compare(what, sides[OURS], sides[THEIRS], MOST_RATIO)


def seconds(checkout: Checkout, command: str) -> float:
    """Of one plan."""
    work = checkout.root / "build" / "terraform" / "staging"
    environment = {**checkout.environment, "TF_DATA_DIR": str(work), "OUT": str(checkout.place / "plan")}
    begun = time.perf_counter()
    done = subprocess.run(
        ["bash", "-c", f"exec {command}"], cwd=checkout.root, env=environment, capture_output=True, text=True
    )
    lasted = time.perf_counter() - begun
    assert done.returncode == 0, done.stderr
    return lasted


def must(checkout: Checkout, command: str) -> None:
    """What is not measured."""
    said = checkout.run(command)
    assert said.code == 0, said.problem


def release(checkout: Checkout) -> bool:
    """By the values of what Terraform has made, of its defaults and environments/staging.tfvars."""
    loaded = config.load(checkout.root)
    where = place.place(loaded, loaded.environment("staging"))
    assert where.environment.account == ACCOUNT
    with Guard(where.environment) as guard:
        wiring = CodeDeploy(guard, where).wiring()
        filled_in = files.files(loaded, where.environment, registry.load(loaded))
        found = timing.read(guard, wiring, filled_in)
    for step in [*timing.until_traffic(found), *timing.afterwards(found)]:
        print(f"  {step.name}: {step.seconds} s ({step.why})")
    return at_most("traffic on green", [float(timing.seconds(timing.until_traffic(found)))], MOST_SECONDS, "s")
