"""The app's image on a real engine: built as `./inv build` does, and run as it is deployed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.images import (
    BASE,
    NAME,
    PUBLISHED,
    Database,
    built,
    checkout,
    container,
    database,
    docker,
    get,
    inspect,
    inv,
    logged,
    state,
    url,
)

__all__ = ["built", "database"]
pytestmark = [pytest.mark.xdist_group("image"), pytest.mark.full]

MOST_OVER_BASE = 90e6  # bytes


def test_image_is_labelled_with_its_commit_and_holds_no_secret(built: Path) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=built, capture_output=True, text=True, check=True).stdout
    found = inspect(f"{NAME}:{head[:12]}")
    labels = found["Config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == head.strip()
    assert labels["org.opencontainers.image.version"] == head[:12]
    assert re.match(r"\d{4}-\d\d-\d\dT", labels["org.opencontainers.image.created"])
    assert {word.partition("=")[0] for word in found["Config"]["Env"]} == {
        *(word.partition("=")[0] for word in inspect(BASE)["Config"]["Env"]),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "TMPDIR"),
        *("DJANGO_SETTINGS_MODULE", "DJANGO_INTERNAL_PORT_NUM"),
    }


def test_image_holds_the_app_compiled_and_nothing_that_only_builds(built: Path) -> None:
    code = (
        "import importlib.util, json, os, pathlib, sys;"
        "files = [str(p) for p in pathlib.Path('/app').rglob('*') if p.is_file()];"
        "data = pathlib.Path(importlib.util.find_spec('botocore').origin).parent / 'data';"
        "print(json.dumps({'files': files, 'models': sorted(p.name for p in data.iterdir() if p.is_dir()),"
        " 'pip': importlib.util.find_spec('pip') is not None, 'uid': os.getuid()}))"
    )
    found = json.loads(docker("run", "--rm", f"{NAME}:latest", "python", "-c", code))
    assert (found["models"], found["pip"], found["uid"]) == (["ssm", "sts"], False, 10001)
    sources = [Path(name) for name in found["files"] if name.endswith(".py") and name != "/app/gunicorn.conf.py"]
    compiled = {Path(name) for name in found["files"] if name.endswith(".pyc")}
    assert {path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc" for path in sources} <= compiled
    assert not [name for name in found["files"] if "Dockerfile" in name or "/." in name]


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_image_has_the_same_modes_whatever_the_umask_of_the_checkout(built: Path, tmp_path: Path, umask: int) -> None:
    root, name = checkout(tmp_path), f"{NAME}:umask"
    for path in (root / "app", *(root / "app").rglob("*"), root / "requirements" / "app.txt"):
        path.chmod((0o777 if path.is_dir() or path.stat().st_mode & 0o100 else 0o666) & ~umask)
    argv = ["docker", "buildx", "build", "--load", "--file", "app/Dockerfile", "--tag", name, "."]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    modes = ("run", "--rm", "--user", "0", "--entrypoint", "sh")
    listed = ("-c", "find /app -printf '%m %U %p\\n' | sort")
    try:
        found = docker(*modes, name, *listed)
        assert found == docker(*modes, f"{NAME}:latest", *listed)
        assert docker("run", "--rm", name, "find", "/app", "!", "-readable", "-o", "-writable", "!", "-type", "l") == ""
    finally:
        docker("image", "rm", name)


def test_image_is_little_larger_than_its_base(built: Path) -> None:
    over = inspect(f"{NAME}:latest")["Size"] - inspect(BASE)["Size"]
    assert over <= MOST_OVER_BASE


def test_container_is_healthy_and_ready_read_only_and_without_capabilities(database: Database) -> None:
    with container("--network", database.network, *PUBLISHED, DJANGO_DB_HOST="db") as made:
        assert get(f"{url(made)}/readyz") == (200, '{"status": "ready"}')
        page = get(f"{url(made)}/login/")[1]
        sheet = re.search(r"/static/ledger/ledger\.[0-9a-f]{12}\.css", page)
        assert sheet and get(url(made) + sheet[0])[0] == 200
        assert docker("exec", made, "sh", "-c", "touch /app/x 2>/dev/null || id -u") == "10001"
        caps = docker("exec", made, "sh", "-c", "grep -h Cap /proc/[0-9]*/status | cut -f2 | sort -u")
        assert caps == "0000000000000000"
        end = time.monotonic() + 20
        while state(made)["Health"]["Status"] != "healthy":
            assert time.monotonic() < end, state(made)["Health"]
            time.sleep(0.2)
        assert {line["logger"] for line in logged(made)} <= {"gunicorn.error", "gunicorn.access"}


def test_sigterm_answers_the_request_in_flight_and_exits_0(database: Database) -> None:
    """/readyz reads the table of migrations, which is locked for four seconds."""
    answers: list[tuple[int, str]] = []
    with ExitStack() as held, container("--network", database.network, *PUBLISHED, DJANGO_DB_HOST="db") as made:
        assert get(f"{url(made)}/readyz")[0] == 200
        holder = held.enter_context(database.sql("BEGIN; LOCK TABLE django_migrations; SELECT pg_sleep(4); COMMIT"))
        time.sleep(0.7)
        asking = threading.Thread(target=lambda: answers.append(get(f"{url(made)}/readyz")))
        begun = time.monotonic()
        asking.start()
        time.sleep(0.7)
        assert answers == []
        docker("kill", "--signal", "TERM", made)
        assert docker("wait", made) == "0"
        lasted = time.monotonic() - begun
        asking.join(timeout=20)
        assert holder.wait(timeout=20) == 0
        assert (answers, lasted > 2) == ([(200, '{"status": "ready"}')], True)
        assert logged(made)[-1]["message"] == "Shutting down: Master"


def test_container_on_a_broken_database_lives_and_is_not_ready(built: Path) -> None:
    with container(*PUBLISHED) as made:
        assert get(f"{url(made)}/livez") == (200, '{"status": "alive"}')
        status, body = get(f"{url(made)}/readyz")
        assert (status, json.loads(body)["status"]) == (503, "not ready")
        assert "nowhere" not in body


def test_container_without_its_variables_names_them_and_ends(built: Path) -> None:
    with container(DJANGO_DB_HOST="", DJANGO_ALLOWED_HOSTS="", DJANGO_DB_SSLMODE="no") as made:
        assert docker("wait", made) == "3"
        done = subprocess.run(["docker", "logs", made], capture_output=True, text=True, check=True)
    named = re.findall(r"^  (DJANGO_\w+) ", done.stderr, re.MULTILINE)
    assert named == ["DJANGO_ALLOWED_HOSTS", "DJANGO_DB_HOST", "DJANGO_DB_SSLMODE"]
    assert "pl4nted" not in done.stdout + done.stderr


@pytest.mark.parametrize(("cpus", "memory", "workers"), [("1", "1g", 2), ("0.5", "200m", 1)])
def test_container_runs_as_many_workers_as_it_may(built: Path, cpus: str, memory: str, workers: int) -> None:
    with container(*PUBLISHED, "--cpus", cpus, "--memory", memory) as made:
        assert get(f"{url(made)}/livez")[0] == 200
        end = time.monotonic() + 10
        while len(booted := [x for x in logged(made) if x["message"].startswith("Booting worker")]) < workers:
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(0.3)
        assert len(booted) == workers


def test_health_check_of_the_image_says_no_where_nobody_answers(built: Path) -> None:
    with container(command=("sleep", "60")) as made:
        check = inspect(made)["Config"]["Healthcheck"]["Test"]
        assert check[0] == "CMD"
        done = subprocess.run(["docker", "exec", made, *check[1:]], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "/livez does not answer at port 8000: ConnectionRefusedError\n")


def test_build_again_says_that_nothing_changed_and_then_what_did(built: Path) -> None:
    first = inv(built, "build")
    assert first.code == 0, first.error
    assert re.search(r"^compared with \S+, the same image$", first.out, re.MULTILINE)
    assert "RUN" not in first.error  # every step was there already
    urls = built / "app" / "config" / "urls.py"
    text = urls.read_text()
    try:
        urls.write_text(text + "# changed\n")
        second = inv(built, "build")
    finally:
        urls.write_text(text)
    assert second.code == 0, second.error
    changes = dict(re.findall(r"^  (\w[\w ]*?) +[\d.]+ MB  (\w+)", second.out, re.MULTILINE))
    assert changes == {"base": "same", "dependencies": "same", "static files": "same", "app code": "changed"}
    assert "  files: app/config/urls.py\n" in second.out
    assert re.search(rf"^{NAME}:[0-9a-f]{{12}}-dirty  sha256:[0-9a-f]{{64}} ", second.out)


def test_build_that_fails_says_which_step_and_what_it_said(built: Path) -> None:
    broken = built / "app" / "config" / "broken.py"
    broken.write_text("def\n")
    try:
        said = inv(built, "build")
    finally:
        broken.unlink()
    assert said.code == 2
    assert re.search(r"the image could not be built: process .* compileall .* exit code: 1$", said.error, re.MULTILINE)
    assert "  | SyntaxError: invalid syntax" in said.error
    assert "  All of it: build/image/build.log\n" in said.error
    assert "SyntaxError" in (built / "build" / "image" / "build.log").read_text()


def test_build_on_a_full_disk_says_so(built: Path) -> None:
    dockerfile = built / "app" / "Dockerfile"
    text = dockerfile.read_text()
    fills = "RUN --mount=type=tmpfs,target=/full,size=65536 head -c 1000000 /dev/zero > /full/file"
    try:
        dockerfile.write_text(f"FROM {BASE}\n{fills}\n")
        said = inv(built, "build")
    finally:
        dockerfile.write_text(text)
    assert said.code == 2
    assert "the disk is full: the image could not be built.\n  `docker system df` shows what takes it; " in said.error


def test_build_for_a_platform_without_an_emulator_shows_its_command(built: Path) -> None:
    if Path("/proc/sys/fs/binfmt_misc/qemu-s390x").exists():
        pytest.skip("this machine emulates every processor")
    said = inv(built, "build", "--platform", "linux/s390x", "--tag", "big")
    assert said.code == 2
    assert re.search(r"this builder runs linux/\w+.*, and not linux/s390x\.\n", said.error)
    assert re.search(r"docker buildx build --load .* --platform linux/s390x --tag \S+:big ", said.error)
    shown = inv(built, "build", "--platform", "linux/s390x", "--dry-run")
    assert (shown.code, "--platform linux/s390x" in shown.out) == (0, True)


def test_build_without_an_engine(built: Path) -> None:
    said = inv(built, "build", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert said.code == 2
    assert said.error.splitlines()[-2:] == [
        "no Docker engine answers at unix:///nowhere/docker.sock: does it run?",
        "  Start it (systemctl start docker), join the group `docker`, or set DOCKER_HOST.",
    ]


def test_build_without_docker(built: Path, tmp_path: Path) -> None:
    (tmp_path / "git").symlink_to("/usr/bin/git")
    said = inv(built, "build", PATH=str(tmp_path))
    assert (said.code, said.error.splitlines()[-2]) == (2, "docker is not on this machine.")


def test_build_without_buildx(built: Path, tmp_path: Path) -> None:
    """In a mount namespace of its own, where an empty folder lies over the plugins."""
    plugins = json.loads(docker("info", "--format", "{{json .ClientInfo.Plugins}}"))
    folder = Path(next(plugin["Path"] for plugin in plugins if plugin["Name"] == "buildx")).parent
    script = f"mount --bind {tmp_path} {folder} && exec {sys.executable} -P -m greenroom build"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], cwd=built, capture_output=True, text=True)
    if "unshare failed" in done.stderr:
        pytest.skip("needs the right to unshare mounts")
    assert done.returncode == 2
    assert "this docker has no buildx, which builds images.\n" in done.stderr


def test_build_interrupted_ends_and_leaves_no_image(built: Path) -> None:
    dockerfile = built / "app" / "Dockerfile"
    text = dockerfile.read_text()
    argv = [sys.executable, "-P", "-m", "greenroom", "build", "--tag", "stopped"]
    try:
        dockerfile.write_text(f"FROM {BASE}\nRUN sleep 30 # {uuid4()}\n")
        with subprocess.Popen(argv, cwd=built, stderr=subprocess.PIPE, text=True) as child:
            assert child.stderr
            assert any("RUN sleep 30" in line for line in iter(child.stderr.readline, ""))
            child.send_signal(signal.SIGTERM)
            assert child.wait(timeout=20) == 143
    finally:
        dockerfile.write_text(text)
    assert docker("image", "ls", "--quiet", f"{NAME}:stopped") == ""
