"""What would be in the image, as its Dockerfile and its ignore file read; the integration tests ask BuildKit itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom import config
from greenroom.image import context
from tests.image.test_planning import git

ROOT = Path(__file__).resolve().parents[2]


def test_our_dockerfile_copies_the_app_and_mounts_two_files() -> None:
    text = (ROOT / "app" / "Dockerfile").read_text()
    assert list(context.copied(text)) == ["requirements/app.txt", "app/trim_botocore.py", "app"]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("COPY a b /x/", ["a", "b"]),
        ("  copy --chown=1:1 --link ./a/ /x", ["a"]),
        ('COPY ["a b", "c", "/x"]', ["a b", "c"]),
        ("COPY a \\\n# why\n  b \\\n  /x", ["a", "b"]),
        ("COPY . .", ["."]),
        ("COPY ../a /x", ["a"]),
        ("COPY a/*.py /x", ["a"]),
        ("COPY *.py /x", ["."]),
        ("COPY a/$VERSION/b /x", ["a"]),
        ("COPY --from=base a /x", []),
        ("# COPY a /x", []),
        ("COPY <<EOF /x", []),
        ("ADD https://example.com/a.tar a.tgz /x", ["a.tgz"]),
        ("RUN --mount=type=bind,target=/x --mount=type=cache,target=/y ls", ["."]),
        ("RUN --mount=source=a,target=/x --mount=from=b,source=c,target=/y ls", ["a"]),
        ("RUN cp --from=a b", []),
    ],
)
def test_copied(text: str, paths: list[str]) -> None:
    assert list(context.copied(f"FROM scratch\n{text}\n")) == paths


def test_strangers_are_what_git_ignores_or_does_not_know_and_the_image_would_have(tmp_path: Path) -> None:
    kept = ("app/main.py", "app/Dockerfile", ".gitignore", "app/.gitignore")
    ignored = (
        "app/dist/customers.sql",
        "app/local.py",
        "app/left/out.sql",
        "app/x/__pycache__/y.pyc",
        "dist/a",
        ".env",
    )
    for name in (*kept, *ignored):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\nCOPY app /app\n")
    (tmp_path / "app" / ".gitignore").write_text("local.py\nleft\n")
    (tmp_path / ".gitignore").write_text("dist/\n__pycache__/\n.env\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    loaded = config.parse({}, tmp_path)
    found = ["app/dist/customers.sql", "app/left/out.sql", "app/local.py", "app/x/__pycache__/y.pyc"]
    assert sorted(context.strangers(loaded)) == found
    (tmp_path / "app" / "new.py").write_text("")
    git(tmp_path, "config", "status.showUntrackedFiles", "no")
    (tmp_path / ".dockerignore").write_text("**/__pycache__\napp/left\n")
    assert sorted(context.strangers(loaded)) == ["app/dist/customers.sql", "app/local.py", "app/new.py"]
    (tmp_path / "app" / "Dockerfile.dockerignore").write_text("*\n!app/new.py\n")
    assert context.strangers(loaded) == ["app/new.py"]
    git(tmp_path, "init", "--quiet", "app/other")
    (tmp_path / "app" / "other" / "file").write_text("")
    (tmp_path / "app" / "Dockerfile.dockerignore").write_text("app/*\n!app/other\n")
    assert [name.partition("/file")[0].rstrip("/") for name in context.strangers(loaded)] == ["app/other"]


def test_strangers_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\nCOPY app /app\n")
    assert context.strangers(config.parse({}, tmp_path)) == []


def test_pattern_that_is_none_leaves_out_nothing() -> None:
    assert not context.left_out("a", context.read_patterns("[z-a]\n"))
