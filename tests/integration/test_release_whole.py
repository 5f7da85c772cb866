"""From a commit to the traffic on it, and back, as a person types it; it begins with two commands of docs/deploy.md."""

from __future__ import annotations

import pytest

from tests.integration.images import docker
from tests.integration.registry import registry
from tests.integration.release_desk import Desk, cloud, database, desk, moto, next_version, stage
from tests.integration.release_environment import NAME
from tests.integration.release_stage import checkout

__all__ = ["checkout", "cloud", "database", "desk", "moto", "registry", "stage"]

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("containers")]

SHUT = "no rehearsal of {} is known: not released.\n  Rehearse it: ./inv migrate-rehearse --target NAME --image "


def test_from_a_build_to_the_traffic_and_back(desk: Desk) -> None:
    desk.type_step("build")
    first = desk.image
    desk.type_step("deploy")
    assert desk.running.endswith(f"{NAME}:2")
    desk.tasks.to_its_end(desk.running, "python", "manage.py", "load_demo", "--rows", "500")

    next_version(desk)
    desk.type("./inv build --push --environment staging")
    assert_shut(desk)
    docker("image", "rm", "--force", first)  # as on a build machine, which has never seen it
    rehearsed(desk, first)
    released(desk)
    back(desk)


def assert_shut(desk: Desk) -> None:
    """On both roads, and nothing is changed."""
    for task in ("deploy", "release-migrate", "release-check"):
        said = desk.type(f"./inv {task} --environment staging", code=1)
        assert said.error.startswith(SHUT.format(desk.digest[:19]))
        assert desk.writes == []
    assert not desk.has_column()


def rehearsed(desk: Desk, first: str) -> None:
    """The image that ships, on a copy of the environment's data, beside the release that serves there."""
    words = f"--target staging --remote --image {desk.image} --base-environment staging --drills old-release"
    said = desk.type(f"./inv migrate-rehearse {words}")
    made = desk.rehearsal
    assert (made["verdict"], made["image"]["digest"]) == ("pass", desk.digest), said.problem
    (drill,) = [one for one in made["drills"] if one["name"] == "old-release"]
    assert (drill["status"], drill["release"]["digest"]) == ("passed", first.rpartition("@")[2]), drill
    assert not desk.has_column(), "only the copy was migrated"
    said = desk.type("./inv rehearsal-push --environment staging")
    assert said.out.endswith("pushed\n")
    assert desk.writes == ["PUT"]
    said = desk.type("./inv release-check --environment staging")
    assert " may migrate staging: pass, " in said.out and ": ledger.0099_release_channel\n" in said.out
    said = desk.type("./inv doctor --environment staging")
    assert (said.out.count("✓"), desk.writes) == (9, []), said.out


def released(desk: Desk) -> None:
    """By the plan that was rehearsed, which the task in the image finds pending by itself."""
    said = desk.type("./inv deploy --environment staging")
    plan = desk.rehearsal["plan"]["fingerprint"]
    assert f"  greenroom: Pending: ledger.0099_release_channel; plan {plan}.\n" in said.out
    assert "  greenroom: Migrated.\n" in said.out
    assert said.out.endswith(f"{NAME}:3 bears the traffic; the old side is gone.\n")
    assert desk.writes == ["PUT", "RegisterTaskDefinition", "RunTask", "PUT", "CreateDeployment", "PUT"]
    assert desk.has_column() and desk.running.endswith(f"{NAME}:3")
    said = desk.type("./inv status --environment staging")
    assert f"  active, runs {NAME}:3\n" in said.out
    assert f"deployment d-000000002 to {NAME}:3, succeeded: greenroom: {desk.digest[:19]}" in said.out


def back(desk: Desk) -> None:
    """To the release before, which the rehearsal has tried on this schema."""
    said = desk.type("./inv rollback --environment staging")
    assert f"  deploy {NAME}:2 again, in place of {NAME}:3\n" in said.out, said.problem
    assert f"\n  The schema allows it: a rehearsal tried {NAME}:2 on it: " in said.out
    assert said.out.endswith(f"{NAME}:2 bears the traffic again.\n")
    assert desk.running.endswith(f"{NAME}:2") and desk.has_column()
    desk.tasks.to_its_end(desk.running, "python", "manage.py", "check", "--database", "default")
    kinds = [(one["kind"], one["unrehearsed"]) for one in desk.stage.objects("releases/")]
    assert kinds == [("release", "the first: the database is empty"), ("release", None), ("rollback", None)]
