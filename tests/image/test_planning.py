from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from greenroom import config
from greenroom.config import Config
from greenroom.errors import GreenroomError
from greenroom.image.planning import Wishes, check_unchanged, plan

ENVIRONMENTS = {
    "staging": {"ssm_path": "/ledger/staging", "region": "eu-central-1", "account": "123456789012"},
    "production": {"ssm_path": "/ledger/production", "region": "eu-central-1", "account": "210987654321"},
}


def git(root: Path, *words: str) -> str:
    argv = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *words]
    return subprocess.run(argv, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first", "--date", "2026-11-01T10:00:00+00:00")
    return tmp_path


def configured(root: Path, *environments: str) -> Config:
    facts = {"name": "ledger", "repository": "shop/ledger"}
    return config.parse({"image": facts, "environments": {name: ENVIRONMENTS[name] for name in environments}}, root)


def refusal(loaded: Config, wishes: Wishes) -> tuple[str, str, int]:
    with pytest.raises(GreenroomError) as caught:
        plan(loaded, wishes)
    return caught.value.sentence, caught.value.hint, caught.value.code


def test_plan_names_the_image_after_the_commit(root: Path) -> None:
    commit = git(root, "rev-parse", "HEAD")
    committed = git(root, "show", "--no-patch", "--format=%cI", "HEAD")
    made = plan(configured(root), Wishes())
    assert (made.name, made.environment) == (f"ledger:{commit[:12]}", None)
    assert list(made.argv) == [
        *("docker", "buildx", "build", "--load", "--provenance=false", "--file", "app/Dockerfile"),
        *("--build-arg", f"VERSION={commit[:12]}"),
        *("--build-arg", f"REVISION={commit}"),
        *("--build-arg", f"CREATED={committed}"),
        *("--tag", f"ledger:{commit[:12]}", "--tag", "ledger:latest", "."),
    ]


def test_plan_of_a_dirty_tree_says_so_in_the_tag_and_tells_no_time(root: Path) -> None:
    commit = git(root, "rev-parse", "HEAD")
    (root / "app" / "new.py").write_text("")
    made = plan(configured(root), Wishes())
    assert made.name == f"ledger:{commit[:12]}-dirty"
    assert {f"REVISION={commit}-dirty", "CREATED="} <= set(made.argv)


def test_plan_with_all_options(root: Path) -> None:
    made = plan(configured(root), Wishes(tag="v1.2", platform="linux/arm64", no_cache=True))
    words = "--platform linux/arm64 --no-cache --tag ledger:v1.2 --tag ledger:latest ."
    assert list(made.argv[-8:]) == words.split()


def test_plan_to_push_shows_account_region_and_repository(root: Path) -> None:
    made = plan(configured(root, "staging", "production"), Wishes(push=True, tag="v1", environment="production"))
    assert made.shown.splitlines()[2:] == [
        "push it for production: account 210987654321, eu-central-1, ECR repository shop/ledger:v1",
        "write imageDetail.json, taskdef.json, appspec.yaml into build/release/",
    ]


def test_plan_to_push_takes_the_only_environment(root: Path) -> None:
    made = plan(configured(root, "staging"), Wishes(push=True))
    assert made.environment and made.environment.name == "staging"


def test_plan_to_push_asks_which_environment_where_there_are_two_or_none(root: Path) -> None:
    assert refusal(configured(root, "staging", "production"), Wishes(push=True)) == (
        "an image is pushed for one of [tool.greenroom.environments] (there: production, staging).",
        "Say which: --environment NAME",
        2,
    )
    assert refusal(configured(root), Wishes(push=True))[1] == "Write one there: ssm_path, region, account."


def test_plan_to_push_refuses_a_dirty_tree_unless_told(root: Path) -> None:
    loaded = configured(root, "staging")
    (root / "app" / "new.py").write_text("")
    assert refusal(loaded, Wishes(push=True)) == (
        "the tree differs from its commit, and what is pushed should be found again.",
        "Commit first; or push it all the same: --dirty",
        1,
    )
    assert plan(loaded, Wishes(push=True, dirty=True)).tag.endswith("-dirty")


def test_plan_to_push_refuses_files_that_git_ignores_and_the_image_would_have(root: Path) -> None:
    (root / "app" / "Dockerfile").write_text("FROM scratch\nCOPY app /app\n")
    (root / ".gitignore").write_text("*.sql\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "second")
    commit = git(root, "rev-parse", "HEAD")
    loaded = configured(root, "staging")
    made = plan(loaded, Wishes(push=True))
    for name in "abcd":
        (root / "app" / f"{name}.sql").write_text("")
    assert git(root, "status", "--porcelain") == ""
    assert refusal(loaded, Wishes(push=True)) == (
        "git does not track what the image would have: app/a.sql, app/b.sql, app/c.sql and 1 more; and what is pushed "
        "should be found again.",
        "Take that away, commit it, or leave it out in .dockerignore; or push it all the same: --dirty",
        1,
    )
    with pytest.raises(GreenroomError, match="git does not track"):
        check_unchanged(made)
    dirty = plan(loaded, Wishes(push=True, dirty=True))
    assert (dirty.tag, dirty.revision) == (f"{commit[:12]}-dirty", f"{commit}-dirty")


def test_plan_is_refused_where_another_commit_is_checked_out_meanwhile(root: Path) -> None:
    loaded = configured(root, "staging")
    here, pushed = plan(loaded, Wishes()), plan(loaded, Wishes(push=True, tag="v1"))
    check_unchanged(pushed)
    git(root, "commit", "--quiet", "--allow-empty", "--message", "second")
    check_unchanged(here)  # it is not pushed
    with pytest.raises(GreenroomError, match="the tree is no longer what it was when you were asked"):
        check_unchanged(pushed)


@pytest.mark.parametrize("tag", ["", "-v1", ".v1", "v 1", "v1/2", "v1:2", "x" * 129, "é"])
def test_plan_bad_tag(root: Path, tag: str) -> None:
    sentence, hint, code = refusal(configured(root), Wishes(tag=tag))
    assert sentence.startswith(f"{tag!r} is no tag: at most 128 letters, ")
    assert (hint, code) == ("Without --tag it is the git commit.", 2)


def test_plan_pushes_no_latest(root: Path) -> None:
    loaded = configured(root, "staging")
    assert refusal(loaded, Wishes(push=True, tag="latest")) == (
        "latest is never pushed: it does not say what it is of.",
        "Give another --tag; without it, it is the commit.",
        2,
    )
    assert plan(loaded, Wishes(tag="latest")).name == "ledger:latest"


@pytest.mark.parametrize("platform", ["arm64", "linux/amd64,linux/arm64", "linux/", "--load"])
def test_plan_bad_platform(root: Path, platform: str) -> None:
    assert refusal(configured(root), Wishes(platform=platform))[0] == (
        f"--platform is one of the form linux/arm64, not {platform}."
    )


def test_plan_without_a_dockerfile(root: Path) -> None:
    (root / "app" / "Dockerfile").unlink()
    assert refusal(configured(root), Wishes())[:2] == (
        f"there is no app/Dockerfile in {root}.",
        "Name it: dockerfile = in [tool.greenroom.image] of pyproject.toml.",
    )


@pytest.mark.parametrize("context", ["app/Dockerfile", "nowhere"])
def test_plan_without_a_directory_to_build_from(root: Path, context: str) -> None:
    facts = {"name": "ledger", "context": context}
    assert refusal(config.parse({"image": facts}, root), Wishes())[:2] == (
        f"there is no directory {context} in {root}, which the image would be built from.",
        "Name it: context = in [tool.greenroom.image] of pyproject.toml.",
    )


def test_plan_without_a_commit_wants_a_tag(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\n")
    loaded = configured(tmp_path)
    assert refusal(loaded, Wishes())[:2] == (
        "there is no git commit to name the image after.",
        "Commit first, or give a name: --tag",
    )
    assert plan(loaded, Wishes(tag="v1")).name == "ledger:v1"
