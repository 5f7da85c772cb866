"""Checking this repository: `test`, `lint`, `scan`, `bench`, `lock`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from invoke import Context, Exit, task

from greenroom.errors import ANSWER_IS_NO, COULD_NOT_RUN, DONE, GreenroomError

DOCKERFILES = ("app/Dockerfile", "compose/aws/Dockerfile", "compose/bastion/Dockerfile")
SHELL_SCRIPTS = ("inv", ".ci/run", "compose/bastion/start")
TERRAFORM = "infra/terraform"
STRICTEST = "environments/production.tfvars"  # whose values a scan of Terraform looks at
CHECKOV = ("checkov", "--skip-download", "--compact", "--quiet")  # it works without its maker's service
# a test's passwords are no secrets
ELSEWHERE = ("--skip-path", r"\.venv", "--skip-path", "build", "--skip-path", "tests")
SCANS = (
    (*CHECKOV, "--directory", ".", "--framework", "secrets", "--enable-secret-scan-all-files", *ELSEWHERE),
    (*CHECKOV, "--framework", "dockerfile", "--file", *DOCKERFILES),
    (*CHECKOV, "--framework", "yaml", "--file", "compose.yaml", "--external-checks-dir", "compose/checkov"),
    (*CHECKOV, "--framework", "terraform", "--directory", TERRAFORM, "--var-file", f"{TERRAFORM}/{STRICTEST}"),
    ("hadolint", *DOCKERFILES),
)
SHIPPED = "requirements/app.txt"
PYTEST_CODES = {0: DONE, 1: ANSWER_IS_NO}  # the rest: interrupted, internal error, usage, nothing selected
COMPILE = "uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras"
NO_ADDRESSES = tuple(f"--no-emit-{what}" for what in ("-".join(("index", "url")), "find-links"))
PLAIN = " ".join((*NO_ADDRESSES, "--no-annotate", "--no-header"))


class Lint(NamedTuple):
    """One check of `lint`: its words, and what to type when it says no. `machines`: a program of the machine's own."""

    argv: tuple[str, ...]
    remedy: str
    machines: bool = False


LINTS = (
    Lint(("ruff", "check", "--no-cache", "--output-format", "concise", "."), ".venv/bin/ruff check --fix ."),
    Lint(("ruff", "format", "--check", "."), ".venv/bin/ruff format ."),
    Lint(("mypy",), "mend the types above: .venv/bin/mypy"),
    Lint(("lint-imports", "--no-logo"), "mend the imports above: the order stands in docs/architecture.md"),
    Lint(("shellcheck", *SHELL_SCRIPTS), "mend the scripts above: .venv/bin/shellcheck FILE"),
    Lint(
        ("terraform", "fmt", "-check", "-diff", "-no-color", "-recursive", TERRAFORM),
        f"terraform fmt -recursive {TERRAFORM}",
        machines=True,
    ),
)


@task(
    help={
        "full": "everything, the slow tests too, with branch coverage (at most 30 minutes)",
        "select": "only tests whose name matches this expression of pytest",
        "workers": "processes that run tests side by side; 0 runs them in one, where a debugger works",
    },
    auto_shortflags=False,
)
def test(_context: Context, full: bool = False, select: str = "", workers: int = 2) -> None:
    """Run the tests but those marked `full`: at most 5 minutes."""
    from greenroom import shell

    code = shell.foreground(pytest_words(full, select, workers), cwd=repository())
    raise Exit(code=PYTEST_CODES.get(code, COULD_NOT_RUN))


@task
def lint(_context: Context) -> None:
    """Check style, types, the direction of imports, the shell scripts and Terraform's form; says what to type."""
    failed = [check for check in LINTS if not passes(check)]
    raise Exit(code=ANSWER_IS_NO if failed else DONE)


@task(
    help={"must-audit": "exit with 2 where nobody could be asked for known weaknesses: for CI, which has the internet"},
    auto_shortflags=False,
)
def scan(_context: Context, must_audit: bool = False) -> None:
    """Look for secrets, for what is wrong with Dockerfiles, compose.yaml and Terraform, for known weaknesses.

    The scanners have an environment of their own (requirements/tools.txt). The last question needs the internet.
    """
    from greenroom import auditing

    scanned = [scans(words) for words in SCANS]
    audit = auditing.audit(repository(), SHIPPED)
    print(audit.told, flush=True)
    raise Exit(code=scanned_code(all(scanned) and not audit.weaknesses, held=audit.held or not must_audit))


@task(help={"suite": "one suite; without it, all of them"}, auto_shortflags=False)
def bench(_context: Context, suite: str = "") -> None:
    """Measure what Greenroom costs: each figure as a ratio, with both sides."""
    from greenroom import shell

    raise Exit(code=shell.foreground([sys.executable, "-m", "tests.bench", *filter(None, [suite])], cwd=repository()))


@task(
    help={"upgrade": "take the newest versions, not only those that requirements/*.in changed"}, auto_shortflags=False
)
def lock(_context: Context, upgrade: bool = False) -> None:
    """Pin requirements/*.in again, with hashes, for all platforms (needs uv)."""
    from greenroom import shell

    for words in lock_words(upgrade):
        shell.run(words, cwd=repository())
        print(f"pinned {words[-1]}")


def pytest_words(full: bool, select: str, workers: int) -> list[str]:
    """The argv that runs the tests; tests of one xdist_group stay in one process."""
    if workers < 0:
        raise GreenroomError(f"--workers is 0 or more, not {workers}.")
    parallel = ["-n", str(workers), "--dist", "loadgroup"] if workers else []
    measured = ["--cov", "--cov-branch", "--cov-report=term:skip-covered"] if full and not select else []
    return [
        *(sys.executable, "-m", "pytest"),
        *parallel,
        *([] if full else ["-m", "not full"]),
        *measured,
        *(["-k", select] if select else []),
    ]


def lock_words(upgrade: bool) -> list[list[str]]:
    """The argvs of `lock`: what ships first, then all the rest, held to the same versions."""
    compiled = [*COMPILE.split(), *PLAIN.split(), *(["--upgrade"] if upgrade else [])]
    app = [*compiled, "requirements/app.in", "-o", "requirements/app.txt"]
    dev = [*compiled, "requirements/dev.in", "-c", "requirements/app.txt", "-o", "requirements/dev.txt"]
    tools = [*compiled, "requirements/tools.in", "-o", "requirements/tools.txt"]
    peers = [*compiled, "requirements/peers.in", "-o", "requirements/peers.txt"]
    moto = [*compiled, "requirements/moto.in", "-c", "requirements/dev.txt", "-o", "requirements/moto.txt"]
    return [app, dev, tools, peers, moto]


def passes(check: Lint) -> bool:
    """Run one check from the environment of this interpreter, and print its answer.

    One whose program is the machine's is left out where it is not installed, and says so.
    """
    import shutil

    from greenroom import shell

    name = check.argv[0]
    found = shutil.which(name) if check.machines else str(Path(sys.executable).parent / name)
    if found is None:
        print(f"left  {' '.join(check.argv)}: {name} is not installed", flush=True)
        return True
    program = Path(found)
    done = shell.run([program, *check.argv[1:]], cwd=repository(), env={"PYTHONPATH": "app"}, check=False)
    print(f"{'ok  ' if done.code == 0 else 'FAIL'}  {' '.join(check.argv)}", flush=True)
    if done.code != 0:
        print(f"{(done.stdout + done.stderr).strip()}\n  -> {check.remedy}\n", flush=True)
    return done.code == 0


def scanned_code(sound: bool, *, held: bool) -> int:
    """What was found weighs more than what could not be asked."""
    if not sound:
        return ANSWER_IS_NO
    return DONE if held else COULD_NOT_RUN


def scans(words: tuple[str, ...]) -> bool:
    """Run one scanner, and print its answer."""
    from greenroom import shell
    from greenroom.tools import tool

    code = shell.foreground([tool(repository(), words[0]), *words[1:]], cwd=repository())
    print(f"{'ok  ' if code == 0 else 'FAIL'}  {' '.join(words)}", flush=True)
    return code == 0


def repository() -> Path:
    """The checkout that these tasks check."""
    return Path(__file__).resolve().parents[2]
