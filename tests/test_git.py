from __future__ import annotations

from pathlib import Path

import pytest

from greenroom import git, shell


def run(directory: Path, *argv: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    return shell.run(["git", *identity, *argv], cwd=directory).stdout.strip()


@pytest.fixture(autouse=True)
def _no_build_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests may themselves run in one."""
    for commit, branches in git.SERVICES:
        for name in (commit, *branches):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    run(tmp_path, "init", "--quiet", "--initial-branch", "feature/Add-Totals")
    (tmp_path / "file").write_text("one\n")
    run(tmp_path, "add", "file")
    run(tmp_path, "commit", "--quiet", "--message", "one")
    return tmp_path


def test_checkout_clean(repository: Path) -> None:
    commit = run(repository, "rev-parse", "HEAD")
    assert git.checkout(repository) == git.Checkout(commit, "feature/Add-Totals", False)


def test_checkout_dirty(repository: Path) -> None:
    (repository / "file").write_text("two\n")
    assert git.checkout(repository).dirty is True


def test_checkout_detached(repository: Path) -> None:
    run(repository, "checkout", "--quiet", "--detach")
    assert git.checkout(repository).branch is None


def test_checkout_without_a_commit(tmp_path: Path) -> None:
    run(tmp_path, "init", "--quiet", "--initial-branch", "main")
    assert git.checkout(tmp_path) == git.Checkout(None, "main", False)


def test_checkout_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git.checkout(tmp_path) == git.Checkout(None, None, None)


@pytest.mark.parametrize(
    ("variables", "branch"),
    [
        ({"CODEBUILD_RESOLVED_SOURCE_VERSION": "COMMIT", "CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/a/b"}, "a/b"),
        ({"CODEBUILD_RESOLVED_SOURCE_VERSION": "COMMIT", "CODEBUILD_SOURCE_VERSION": "COMMIT"}, None),
        ({"GITHUB_SHA": "COMMIT", "GITHUB_HEAD_REF": "", "GITHUB_REF_NAME": "main"}, "main"),
        ({"GITHUB_SHA": "COMMIT", "GITHUB_HEAD_REF": "topic", "GITHUB_REF_NAME": "7/merge"}, "topic"),
        ({"CI_COMMIT_SHA": "COMMIT", "CI_COMMIT_REF_NAME": "topic"}, "topic"),
        ({"BITBUCKET_COMMIT": "COMMIT", "BITBUCKET_BRANCH": "topic"}, "topic"),
    ],
)
def test_build_service_knows_what_it_builds(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], branch: str | None
) -> None:
    commit = run(repository, "rev-parse", "HEAD")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("COMMIT", commit))
    assert git.checkout(repository).branch == "feature/Add-Totals"
    run(repository, "checkout", "--quiet", "--detach")
    assert git.checkout(repository) == git.Checkout(commit, branch, False)
    (repository / ".git").rename(tmp_path / "away")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git.checkout(repository) == git.Checkout(commit, branch, None)


def test_build_service_that_builds_another_commit_is_not_heard(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(repository, "checkout", "--quiet", "--detach")
    monkeypatch.setenv("GITHUB_SHA", "0" * 40)
    monkeypatch.setenv("GITHUB_REF_NAME", "other")
    assert git.checkout(repository).branch is None


@pytest.mark.parametrize(
    ("branch", "slug"),
    [
        ("feature/Add-Totals", "feature_add_totals"),
        ("übung/größe", "ubung_grosse"),
        ("日本語", "branch_77710a"),
        ("中文", "branch_72726d"),
        ("x" * 29 + "/y", "x" * 29),
        ("--", "branch_d8156b"),
        (None, "detached"),
    ],
)
def test_slug(branch: str | None, slug: str) -> None:
    assert git.slug(branch) == slug
