"""The repository keeps its own promises: tasks are documented, the map is true, pins are exact."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from invoke import Collection, Task, task

from greenroom.tasks import add, checks, namespace

ROOT = Path(__file__).resolve().parents[1]
MACHINE_PATH = re.compile(r"(?<![\w.}~$/-])/(?:work|farm|root|home/\w+)/")
REGISTRY = re.compile(r"https?://[^\s\"']+/(?:simple|packages)/|--(?:extra-)?index[-]url|files\.python\w+\.org")
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z, ]+\])?==[^\s;]+(?: ; .+)? \\$")


@cache
def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def all_tasks() -> dict[str, Task]:
    collection = Collection()
    for name, found in namespace.tasks.items():
        collection.add_task(found, name)
    if "lint" not in collection.tasks:
        add(collection, checks)
    return dict(collection.tasks)


@pytest.mark.parametrize("name", sorted(all_tasks()))
def test_task_is_documented(name: str) -> None:
    found = all_tasks()[name]
    assert (found.__doc__ or "").strip(), f"{name} has no docstring"
    undocumented = [a.name for a in found.get_arguments() if not a.help]
    assert undocumented == [], f"options of {name} without help"


def test_readme_lists_every_task() -> None:
    listed = set(re.findall(r"\./inv ([a-z][a-z-]*)", (ROOT / "README.md").read_text()))
    assert set(all_tasks()) <= listed


def test_two_tasks_of_one_name_are_refused() -> None:
    group = ModuleType("group")

    def lint(context: object) -> None:
        """Another lint."""

    lint.__module__ = "group"
    group.lint = task(lint)  # type: ignore[attr-defined]
    collection = Collection()
    add(collection, checks)
    with pytest.raises(ValueError, match=r"^two tasks are called lint: one in greenroom\.tasks\.checks, one in group$"):
        add(collection, group)


def test_tasks_file_is_the_namespace_and_nothing_else() -> None:
    assert len((ROOT / "tasks.py").read_text().splitlines()) <= 40


def test_tasks_import_nothing_heavy_at_their_top() -> None:
    light = {"__future__", "sys", "pathlib", "typing", "types", "collections", "invoke", "greenroom"}
    for path in (ROOT / "greenroom" / "tasks").glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {n.partition(".")[0] for n in names} <= light, path
            rooms = {n for n in names if n.startswith("greenroom.")}
            assert rooms <= {"greenroom.tasks", "greenroom.errors", "greenroom.postgres.variables"}, path


def mapped() -> list[str]:
    text = (ROOT / "docs" / "architecture.md").read_text()
    tree = re.search(r"## The house.*?```\n(.*?)```", text, re.DOTALL)
    assert tree, "docs/architecture.md has a fenced map under `The house`"
    return [line.split()[0] for line in tree[1].splitlines() if line.strip()]


def test_map_names_what_exists() -> None:
    assert [name for name in mapped() if not (ROOT / name).exists()] == []


def test_map_names_every_folder() -> None:
    folders = {
        "/".join(parts) + "/"
        for path in tracked()
        for parts in [path.relative_to(ROOT).parts[:-1][:2]]
        if parts and parts[0] in ("greenroom", "app", "tests", "docs")
    }
    top = {path.relative_to(ROOT).parts[0] for path in tracked() if len(path.relative_to(ROOT).parts) > 1}
    named = set(mapped())
    assert sorted(folders - named) == []
    assert sorted(name for name in top if not any(n.startswith(f"{name}/") for n in named)) == []


def test_tracked_files_name_no_machine_and_no_registry() -> None:
    bad = []
    for path in tracked():
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if MACHINE_PATH.search(line) or REGISTRY.search(line):
                bad.append(f"{path.relative_to(ROOT)}:{number}")
    assert bad == []


def test_every_shell_script_is_checked() -> None:
    scripts = {str(p.relative_to(ROOT)) for p in tracked() if re.match(rb"#!.*\b(?:ba)?sh\n", p.read_bytes()[:64])}
    assert scripts == set(checks.SHELL_SCRIPTS)


@pytest.mark.parametrize("name", ["app", "dev", "tools", "peers", "compat-oldest", "compat-newest"])
def test_pins_are_exact_and_hashed(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert "://" not in text
    for block in re.split(r"\n(?=\S)", text.strip()):
        first, *rest = block.splitlines()
        assert PIN.match(first), first
        assert rest, first
        assert all(re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}(?: \\)?", line) for line in rest), first


@pytest.mark.parametrize("name", ["app", "dev", "tools", "peers", "compat-oldest", "compat-newest"])
def test_every_requirement_is_pinned(name: str) -> None:
    wanted = re.findall(
        r"^([A-Za-z0-9][A-Za-z0-9._-]*)", (ROOT / "requirements" / f"{name}.in").read_text(), re.MULTILINE
    )
    assert {w.lower() for w in wanted} <= pins(name).keys()


def test_what_ships_is_what_is_tested() -> None:
    assert pins("app").items() <= pins("dev").items()


def pins(name: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[a-z, ]+\])?==(\S+)", line):
            found[match[1].lower()] = (*found.get(match[1].lower(), ()), match[2])
    return found
