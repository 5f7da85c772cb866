"""Rows that break the release that is still running: its own code, on the new schema, says so."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

import pytest

from greenroom.postgres.embedded import Server
from greenroom.rehearsal.document import Rehearsal
from greenroom.tables import Accepted
from tests.hazards.releases import HERE, NAMES, git, image, rehearsed, release, rows, stock, told_by_variables

pytestmark = pytest.mark.full

SAYS = {
    "C01": "stock.Item cannot read (and 6 more actions): note is gone (SQLSTATE 42703).",
    "C02": "stock.Tag cannot read (and 4 more actions): the table stock_tag is gone (SQLSTATE 42P01).",
    "C03": "stock.Item cannot read (and 6 more actions): note is now called remark (SQLSTATE 42703).",
    "C04": "stock.Item cannot insert NULLs: note may no longer be NULL (SQLSTATE 23502).",
    "C05": "stock.Item cannot insert (and 3 more actions): the constraint",
    "C06": "stock.Item cannot insert the longest: insert the longest does not fit the new type (SQLSTATE 22001).",
    "C07": "stock.Item: state: the new release may write a choice that it does not know.",
    "C08": "stock.Item: look up its first page in order now reads all of stock_item.",
    "C09": "stock.Item: its row of django_content_type is gone (DoesNotExist).",
}


def test_every_row_says_what_it_says() -> None:
    assert rows() == sorted(SAYS)


@pytest.mark.parametrize("hazard", rows())
def test_old_release_breaks(hazard: str, server: Server, tmp_path: Path) -> None:
    with stock(server, tmp_path / "project", hazard) as (source, project):
        release(project, HERE / hazard / "new")
        rehearsal = rehearsed(source, project)
    found = [finding for finding in rehearsal.findings if finding.drill == "old-release"]
    assert {finding.hazard for finding in found} == {hazard}, found
    assert found[0].evidence.summary.startswith(SAYS[hazard])
    breaks = hazard not in ("C07", "C08")
    assert found[0].severity == ("failure" if breaks else "warning")
    assert rehearsal.verdict == "fail" if breaks else rehearsal.verdict != "fail"


@pytest.mark.parametrize("hazard", rows())
def test_old_release_lives_with_the_safe_twin(hazard: str, server: Server, tmp_path: Path) -> None:
    with stock(server, tmp_path / "project", hazard) as (source, project):
        release(project, HERE / hazard / "good")
        rehearsal = rehearsed(source, project)
    [drill] = rehearsal.drills
    assert (drill.status, [f for f in rehearsal.findings if f.drill]) == ("passed", []), drill
    assert "v1 (no pins, so the present environment) reads and writes all " in drill.reason


def _drill(rehearsal: Rehearsal) -> tuple[str, str]:
    return rehearsal.drills[0].status, rehearsal.drills[0].reason


@pytest.mark.parametrize(
    ("words", "base", "reason"),
    [
        (
            ("tag", "-d", "v1"),
            None,
            "There is no release tag to compare with. Name the release that is running with --base REF (or base in "
            "[tool.greenroom.rehearsal]).",
        ),
        (
            ("tag", "v2"),
            "v2",
            "v2 is the commit that is checked out: there is no older release to drill with. "
            "Name the release that is running: --base REF",
        ),
        (
            ("tag", "v2"),
            "v9",
            "git knows no commit v9. Fetch it (git fetch --tags), or name the running release with --base REF.",
        ),
    ],
)
def test_no_base_is_not_run(
    server: Server, tmp_path: Path, words: tuple[str, ...], base: str | None, reason: str
) -> None:
    with stock(server, tmp_path / "project", "C01") as (source, project):
        release(project, HERE / "C01" / "good")
        git(project, *words)
        assert _drill(rehearsed(source, project, base=base)) == ("not run", reason)


def test_newest_tag_before_head_is_the_base_and_its_worktree_goes(server: Server, tmp_path: Path) -> None:
    with stock(server, tmp_path / "project", "C01") as (source, project):
        release(project, HERE / "C01" / "new")
        git(project, "tag", "v2")
        rehearsal = rehearsed(source, project)
        assert _drill(rehearsal)[1].startswith("v1 (no pins, so the present environment): stock.Item cannot read")
        assert git(project, "worktree", "list").count("\n") == 1
        assert git(project, "status", "--porcelain") == ""


def test_other_pins_without_anything_to_install_is_not_run(server: Server, tmp_path: Path) -> None:
    with stock(server, tmp_path / "project", "C01") as (source, project):
        (project / "uv.lock").write_text("version = 2\n")
        release(project, HERE / "C01" / "good")
        status, reason = _drill(rehearsed(source, project))
    assert status == "not run"
    assert reason.startswith("Its pins differ (uv.lock), and it has none of requirements/app.txt")


def test_what_is_accepted_is_a_note_with_its_reason(server: Server, tmp_path: Path) -> None:
    reason = "nobody reads notes since March"
    with stock(server, tmp_path / "project", "C01") as (source, project):
        release(project, HERE / "C01" / "new")
        rehearsal = rehearsed(source, project, Accepted(hazard="C01", model="stock.Item", reason=reason))
    [finding] = [finding for finding in rehearsal.findings if finding.drill]
    assert finding.severity == "note"
    assert finding.evidence.summary.endswith("Accepted: nobody reads notes since March.")
    assert rehearsal.drills[0].status == "passed"


@pytest.mark.parametrize(("wanted", "status"), [("item.note", "failed"), ("item.name", "passed")])
def test_check_of_the_old_release_meets_the_new_schema(
    server: Server, tmp_path: Path, wanted: str, status: str
) -> None:
    """It runs in the old release's directory, where the models still have a note."""
    smoke = "import django, os; django.setup(); from stock.models import Item; "
    smoke += f"Item.objects.order_by('pk').values_list('{wanted.partition('.')[2]}').first()"
    with stock(server, tmp_path / "project", "C01") as (source, project):
        told_by_variables(project)
        release(project, HERE / "C01" / "new")
        rehearsal = rehearsed(source, project, check=f'python -c "{smoke}"', variables=NAMES)
    check = rehearsal.drills[0].steps[-1]
    assert check.what.startswith("check: python -c ")
    assert (check.status, check.detail) == (status, "exit code 1" if status == "failed" else "exit code 0")


def test_check_without_variables_is_not_run(server: Server, tmp_path: Path) -> None:
    with stock(server, tmp_path / "project", "C01") as (source, project):
        release(project, HERE / "C01" / "good")
        rehearsal = rehearsed(source, project, check="true")
    check = rehearsal.drills[0].steps[-1]
    assert (check.status, check.detail) == (
        "note",
        "not run: the project is not told its database by variables (tool.greenroom.project)",
    )


@pytest.mark.full
@pytest.mark.parametrize(("example", "status"), [("new", "failed"), ("good", "passed")])
def test_image_of_the_running_release(server: Server, tmp_path: Path, example: str, status: str) -> None:
    """It has a Python and a Django of its own; nothing of it stays but the image."""
    needed()
    name = f"greenroom-test-release:{secrets.token_hex(4)}"
    try:
        with stock(server, tmp_path / "project", "C01") as (source, project):
            image(project, name)
            release(project, HERE / "C01" / example)
            rehearsal = rehearsed(source, project, base_image=name)
        assert rehearsal.drills[0].status == status, rehearsal.drills[0]
        assert rehearsal.drills[0].reason.startswith(f"{name} (in its own image)")
        left = ["docker", "ps", "--all", "--quiet", "--filter", f"ancestor={name}"]
        assert subprocess.run(left, capture_output=True, text=True, check=True).stdout == ""
    finally:
        subprocess.run(["docker", "image", "rm", "--force", name], check=False, capture_output=True)


def test_image_that_is_not_there_breaks_the_drill_off(server: Server, tmp_path: Path) -> None:
    needed()
    with stock(server, tmp_path / "project", "C01") as (source, project):
        release(project, HERE / "C01" / "good")
        status, reason = _drill(rehearsed(source, project, base_image="greenroom-test-nothing:1"))
    assert status == "broken off"
    assert reason == "there is no image greenroom-test-nothing:1 here."


def needed() -> None:
    """Skip without the image that a release is made from; in CI that is a failure."""
    asked = ["docker", "image", "inspect", "python:3.13-slim-trixie"]
    if subprocess.run(asked, capture_output=True, check=False).returncode != 0:
        assert not os.environ.get("CI"), "a Docker engine with python:3.13-slim-trixie is needed"
        pytest.skip("needs a Docker engine that has python:3.13-slim-trixie")


def test_odd_models_are_exercised_and_no_false_alarm(server: Server, tmp_path: Path) -> None:
    """Whatever cannot be tried is said, and is little: extremes that the models' own rules refuse."""
    with stock(server, tmp_path / "project", "odd") as (source, project):
        release(project, HERE / "odd" / "good")
        rehearsal = rehearsed(source, project)
    [drill] = rehearsal.drills
    assert (drill.status, [f for f in rehearsal.findings if f.drill]) == ("passed", []), drill
    models = {step.what.partition(".")[2] for step in drill.steps}
    assert {"Special", "Passport", "Tree", "Keyed", "Named", "Named_items", "Paired", "Required"} <= models
    assert not {"Elsewhere", "Alias"} & models
    unjudged = {step.what: step.detail.partition("too: ")[2] for step in drill.steps if "not judged" in step.detail}
    # a generated column would overflow, a check forbids that depth
    assert unjudged == {
        "stock.Keyed": "insert the least, insert the longest",
        "stock.Tree": "insert the longest in depth",
    }
