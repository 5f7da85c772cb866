"""`./inv` makes its own environment: in a small checkout of its own, offline, with the tools that a test gives it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYTHON = f"{sys.base_prefix}/bin/python3"
TOOLS = ("sh", "cmp", "readlink", "mkdir", "rm", "mv", "cp", "grep", "tail", "sleep")
RAN = "import sys\nprint('ran', sys.argv[1:], sys.prefix, sys.path[-1])\n"
MADE = "inv: making .venv from requirements/dev.txt; once, until the pins change\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose greenroom only says that it ran, whose pins are none; its path has spaces."""
    directory = tmp_path / "a checkout"
    (directory / "requirements").mkdir(parents=True)
    (directory / "requirements" / "dev.txt").write_text("# no pins\n")
    (directory / "greenroom").mkdir()
    (directory / "greenroom" / "__init__.py").write_text("")
    (directory / "greenroom" / "__main__.py").write_text(RAN)
    shutil.copy(ROOT / "inv", directory / "inv")
    return directory


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with the tools that the launcher needs, and neither Python nor uv."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for tool in TOOLS:
        (directory / tool).symlink_to(shutil.which(tool) or tool)
    return directory


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def with_python(tools: Path) -> Path:
    (tools / "python3").symlink_to(PYTHON)
    return tools


def with_uv(tools: Path) -> Path:
    """A `uv` of ours: makes a real venv without pip, and installs nothing."""
    with_python(tools)
    make = f'"{PYTHON}" -m venv --without-pip "$last"'
    script(
        tools / "uv",
        f'for last; do :; done\ncase $1 in venv) {make} ;; pip) [ -z "$FAIL" ] || {{ echo "$FAIL"; exit 1; }} ;; esac',
    )
    return tools


def inv(program: Path, tools: Path, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(tools), "HOME": str(tools), "LANG": "C.UTF-8", "PIP_NO_INDEX": "1", **environment}
    return subprocess.run([program, *argv], env=env, capture_output=True, text=True)


def ran(checkout: Path, *argv: str) -> str:
    return f"ran {list(argv)} {checkout / '.venv'} {checkout}\n"


def test_first_start_makes_the_environment_and_the_second_uses_it(checkout: Path, tools: Path) -> None:
    with_uv(tools)
    first = inv(checkout / "inv", tools, "--list", "a b")
    assert (first.returncode, first.stdout, first.stderr) == (0, ran(checkout, "--list", "a b"), MADE)
    (tools / "uv").unlink()
    (tools / "python3").unlink()  # what is in place needs nothing
    second = inv(checkout / "inv", tools, "--list")
    assert (second.returncode, second.stdout, second.stderr) == (0, ran(checkout, "--list"), "")


@pytest.mark.full
def test_without_uv_the_venv_module_and_pip_do_it(checkout: Path, tools: Path) -> None:
    done = inv(checkout / "inv", with_python(tools))
    assert (done.returncode, done.stdout, done.stderr) == (0, ran(checkout), MADE)


def test_changed_pins_make_it_again(checkout: Path, tools: Path) -> None:
    inv(checkout / "inv", with_uv(tools))
    (checkout / ".venv" / "left-over").touch()
    (checkout / "requirements" / "dev.txt").write_text("# other pins\n")
    done = inv(checkout / "inv", tools)
    assert (done.returncode, done.stderr) == (0, MADE)
    assert not (checkout / ".venv" / "left-over").exists()
    assert not (checkout / ".venv-old").exists()


def test_moved_checkout_makes_it_again(checkout: Path, tools: Path) -> None:
    inv(checkout / "inv", with_uv(tools))
    moved = checkout.rename(checkout.with_name("moved here"))
    done = inv(moved / "inv", tools)
    assert (done.returncode, done.stdout, done.stderr) == (0, ran(moved), MADE)


def test_half_made_environment_is_made_again(checkout: Path, tools: Path) -> None:
    inv(checkout / "inv", with_uv(tools))
    (checkout / ".venv" / "dev.txt").unlink()  # the last thing that is written: the start was killed before
    (checkout / ".venv-old").mkdir()
    done = inv(checkout / "inv", tools)
    assert (done.returncode, done.stdout, done.stderr) == (0, ran(checkout), MADE)
    assert not (checkout / ".venv-old").exists()


def test_symbolic_link_leads_to_the_checkout(checkout: Path, tools: Path) -> None:
    (tools / "greenroom-inv").symlink_to(checkout / "inv")
    done = inv(tools / "greenroom-inv", with_uv(tools))
    assert (done.returncode, done.stdout) == (0, ran(checkout))


def test_starts_at_the_same_time_make_it_once(checkout: Path, tools: Path) -> None:
    env = {"PATH": str(with_uv(tools)), "HOME": str(tools)}
    starts = [
        subprocess.Popen([checkout / "inv"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [start.communicate(timeout=60) for start in starts]
    assert [out for out, _ in said] == [ran(checkout)] * 4
    assert sorted(err for _, err in said) == ["", "", "", MADE]


def test_failed_install_says_why_and_keeps_the_old_one(checkout: Path, tools: Path) -> None:
    inv(checkout / "inv", with_uv(tools))
    (checkout / "requirements" / "dev.txt").write_text("# other pins\n")
    done = inv(checkout / "inv", tools, FAIL="error: could not connect")
    assert (done.returncode, done.stderr) == (
        2,
        f"{MADE}inv: the packages of requirements/dev.txt could not be installed.\n  error: could not connect\n",
    )
    assert (checkout / ".venv" / "dev.txt").read_text() == "# no pins\n"


@pytest.mark.full
def test_failed_pip_says_why(checkout: Path, tools: Path) -> None:
    (checkout / "requirements" / "dev.txt").write_text(f"no-such-package==1.0 --hash=sha256:{'0' * 64}\n")
    done = inv(checkout / "inv", with_python(tools))
    assert (done.returncode, done.stderr) == (
        2,
        f"{MADE}inv: the packages of requirements/dev.txt could not be installed.\n"
        "  ERROR: No matching distribution found for no-such-package==1.0\n",
    )
    assert not (checkout / ".venv").exists()


def test_no_python(checkout: Path, tools: Path) -> None:
    script(tools / "python3", "exit 1")  # too old
    done = inv(checkout / "inv", tools)
    assert (done.returncode, done.stderr) == (
        2,
        "inv: there is no Python 3.11 or newer on PATH.\n  Install one, and run ./inv again.\n",
    )


def test_python_without_venv(checkout: Path, tools: Path) -> None:
    script(tools / "python3", f'case $2 in *ensurepip*) exit 1 ;; esac\nexec {PYTHON} "$@"')
    done = inv(checkout / "inv", tools)
    assert (done.returncode, done.stderr) == (
        2,
        "inv: python3 has no venv module.\n"
        "  Install it (Debian and Ubuntu: apt install python3-venv), or uv, and run ./inv again.\n",
    )


def test_python_without_venv_is_passed_over_for_one_with_it(checkout: Path, tools: Path) -> None:
    script(tools / "python3.13", f'case $2 in *ensurepip*) exit 1 ;; esac\nexec {PYTHON} "$@"')
    script(
        tools / "python3.11", f'case $* in *"-m venv"*) echo "python3.11 makes it"; exit 1 ;; esac\nexec {PYTHON} "$@"'
    )
    assert inv(checkout / "inv", tools).stderr.endswith("  python3.11 makes it\n")


@pytest.fixture
def unwritable() -> Iterator[Path]:
    """A checkout that everybody can read and nobody but root can write."""
    with tempfile.TemporaryDirectory(prefix="greenroom-") as name:
        directory = Path(name)
        shutil.copy(ROOT / "inv", directory / "inv")
        (directory / "requirements").mkdir()
        (directory / "requirements" / "dev.txt").touch()
        directory.chmod(0o555)
        yield directory
        directory.chmod(0o755)


def test_unwritable_checkout(unwritable: Path) -> None:
    as_nobody: Mapping[str, int] = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
    done = subprocess.run([unwritable / "inv"], capture_output=True, text=True, **as_nobody)  # type: ignore[call-overload]
    message = f"inv: {unwritable} is not writable, so .venv cannot be made there.\n"
    assert (done.returncode, done.stderr) == (2, message)


def test_signal_reaches_the_task(checkout: Path, tools: Path) -> None:
    (checkout / "greenroom" / "__main__.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    env = {"PATH": str(with_uv(tools)), "HOME": str(tools)}
    with subprocess.Popen([checkout / "inv"], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGTERM)  # the launcher has become the task: one process
        assert process.wait(10) == -signal.SIGTERM


@pytest.mark.full
def test_fresh_clone_with_the_real_pins(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    done = subprocess.run([clone / "inv", "--list"], cwd=clone, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, MADE)
    assert "migrate-rehearse" in done.stdout
    activated = subprocess.run([clone / ".venv" / "bin" / "inv", "--list"], cwd=clone, capture_output=True, text=True)
    assert "migrate-rehearse" in activated.stdout
