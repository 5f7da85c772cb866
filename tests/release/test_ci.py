"""What runs elsewhere, in CodeBuild and on GitHub: it parses, its shell too, and each task and option in it exists."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from invoke import Collection, Task

from greenroom.rehearsal.report import files
from greenroom.tasks import add, checks, namespace
from tests.release.scene import ROOT

WORKFLOW = ROOT / "ci" / "github" / "rehearse.yml"
FILES = [*sorted((ROOT / "ci").glob("buildspec*.yml")), WORKFLOW]
PAGES = [ROOT / "docs" / name for name in ("ci.md", "releases.md", "deploy.md")]
_TASK = re.compile(r"\./inv ([a-z][a-z-]*)((?: (?:\"[^\"]*\"|'[^']*'|[^\s`|&;)#]+))*)")


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, str):
        yield value


def commands(path: Path) -> list[str]:
    """Everything in it that a shell gets."""
    whole = yaml.safe_load(path.read_text())
    if "phases" in whole:
        return ["\n".join(phase.get("commands", [])) for phase in whole["phases"].values()]
    return [step["run"] for job in whole["jobs"].values() for step in job["steps"] if "run" in step]


@cache
def tasks() -> dict[str, Any]:
    """Also those that only this checkout has."""
    own = Collection()
    add(own, checks)
    return {**own.tasks, **namespace.tasks}


def wrong(text: str) -> list[str]:
    """Tasks and options in it that there are not."""
    found = []
    for name, rest in _TASK.findall(text):
        task: Task[Any] | None = tasks().get(name)
        if task is None:
            found.append(f"there is no task {name}")
            continue
        parameters = inspect.signature(task.body).parameters  # get_arguments() takes the help texts away
        options = {f"--{parameter.strip('_').replace('_', '-')}" for parameter in parameters}
        words = [word.partition("=")[0] for word in shlex.split(rest) if word.startswith("--")]
        found += [f"{name} has no {word}" for word in words if word not in options]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_commands_are_shell(path: Path) -> None:
    assert commands(path)
    for text in commands(path):
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_task_and_option_exists(path: Path) -> None:
    text = "\n".join(commands(path))
    assert "./inv " in text and wrong(text) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_task_and_option_of_a_page_exists(path: Path) -> None:
    assert wrong(path.read_text()) == []


def test_a_wrong_task_and_a_wrong_option_would_be_found() -> None:
    assert wrong('`./inv deploi --yes` and ./inv deploy --image "$X" --now; ./inv status --environment staging') == [
        "there is no task deploi",
        "deploy has no --now",
    ]


@pytest.mark.parametrize(
    ("mode", "drills", "words"),
    [
        ("remote", None, "--remote"),
        ("remote", "back,crash", "--remote --drills back,crash"),
        ("remote", "old-release", "--remote --drills old-release --base-environment staging"),
        ("local", "back,old-release,crash", "--drills back,old-release,crash --base-environment staging"),
        ("local", "back", "--drills back"),
        ("local", None, "--base-environment staging"),
    ],
)
def test_pipeline_rehearses_beside_the_image_that_serves(
    mode: str, drills: str | None, words: str, tmp_path: Path
) -> None:
    """Where the drill that wants it is held."""
    whole = yaml.safe_load((ROOT / "ci" / "buildspec-rehearse.yml").read_text())
    (command,) = [text for text in whole["phases"]["build"]["commands"] if "migrate-rehearse" in text]
    (tmp_path / "inv").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "inv").chmod(0o755)
    variables = {"GREENROOM_MODE": mode, "GREENROOM_TARGET": "shop", "GREENROOM_ENVIRONMENT": "staging"}
    variables |= {"IMAGE_URI": "ledger@sha256:0", **({"GREENROOM_DRILLS": drills} if drills else {})}
    done = subprocess.run(
        ["sh", "-euc", command],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"migrate-rehearse --target shop --image ledger@sha256:0 {words}\n"


def workflow() -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text())
    return found


def test_workflow_gives_a_pull_request_no_more_than_it_needs() -> None:
    whole = workflow()
    triggers = whole[True]  # YAML's `on`
    assert set(triggers) == {"pull_request"}
    assert whole["permissions"] == {"contents": "read", "id-token": "write", "pull-requests": "write"}
    (job,) = whole["jobs"].values()
    assert "head.repo.full_name == github.repository" in job["if"], "no data to a fork"
    checkout = next(step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@"))
    assert checkout["with"]["persist-credentials"] is False


def test_workflow_puts_nothing_that_others_write_into_a_shell() -> None:
    """An expression in `run` is pasted, and a branch can be called `"; curl ...`: they go by the environment."""
    assert [text for text in commands(WORKFLOW) if "${{" in text] == []


def test_workflow_names_actions_with_their_version() -> None:
    used = [step["uses"] for step in workflow()["jobs"]["rehearse"]["steps"] if "uses" in step]
    assert len(used) == 4
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", one) for one in used), used


def test_workflow_reads_the_files_that_a_rehearsal_writes() -> None:
    named = {name for text in strings(workflow()) for name in re.findall(r"build/rehearsals/latest/([\w.]+)", text)}
    assert named == {files.COMMENT, files.PAGE, files.DOCUMENT}


def test_page_shows_the_workflow_as_it_is() -> None:
    shown = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "ci.md").read_text(), re.DOTALL)
    assert shown and shown[1] == WORKFLOW.read_text()


GH = r"""#!/bin/sh
echo "gh $*" >> calls
case "$*" in *--jq*) cat found 2>/dev/null;; esac
"""


@pytest.mark.parametrize(
    ("found", "last"),
    [
        ("", "gh api --silent repos/o/r/issues/7/comments --field body=@comment.md"),
        ("41\n42\n", "gh api --silent --method PATCH repos/o/r/issues/comments/41 --field body=@comment.md"),
    ],
    ids=["the first", "the next"],
)
def test_comment_is_written_once_and_then_changed(found: str, last: str, tmp_path: Path) -> None:
    """Another workflow's comments are the same bot's: ours is known by its mark."""
    report = tmp_path / "build" / "rehearsals" / "latest" / "report.md"
    report.parent.mkdir(parents=True)
    report.write_text("# pass\n")
    (tmp_path / "found").write_text(found)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    text = next(one for one in commands(WORKFLOW) if "gh api" in one)
    environment = {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "COMMENTS": "repos/o/r/issues/7/comments",
        "REPOSITORY": "repos/o/r",
    }
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
    subprocess.run(words, cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "calls").read_text().splitlines()[-1] == last
    assert (tmp_path / "comment.md").read_text() == "<!-- greenroom rehearsal -->\n# pass\n"
