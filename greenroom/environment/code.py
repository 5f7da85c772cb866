"""Environment variables that the app's code reads beside the registry, found in its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

READERS = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})
OTHER_REGISTRIES = frozenset({"environ", "decouple", "environs"})  # libraries that read variables on their own
MODULES = frozenset({"os", "posix"})
SETTINGS_MODULE = "DJANGO_SETTINGS_MODULE"
CHOOSING = frozenset({"manage.py", "wsgi.py", "asgi.py"})  # these name the settings module, and nothing else
PASSED_OVER = frozenset({"build", "node_modules", "__pycache__", "site-packages"})


class Reading(NamedTuple):
    """A place where a variable is read (or set) past the registry."""

    path: Path
    line: int
    what: str


def readings(directory: Path, registry: Path) -> list[Reading]:
    """Of every Python file below the directory but the registry itself, by path and line."""
    return [reading for path in _files(directory) if path != directory / registry for reading in readings_of(path)]


def readings_of(path: Path) -> list[Reading]:
    """Of one file; one that is not Python is a reading too: nobody can say what it reads."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        return [Reading(path, getattr(error, "lineno", 0) or 0, "it is not Python, and cannot be checked")]
    modules, others = _bound(tree), _choosing(tree) if path.name in CHOOSING else set()
    found = {
        Reading(path, node.lineno, what)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.expr) and node not in others
        for what in _reads(node, modules)
    }
    return sorted(found)


def _files(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*.py")):
        parts = path.relative_to(directory).parts
        if not any(part in PASSED_OVER or part.startswith((".", "venv")) for part in parts):
            yield path


def _bound(tree: ast.Module) -> set[str]:
    """The names under which the file has `os`."""
    names = set(MODULES)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname for alias in node.names if alias.name in MODULES and alias.asname}
    return names


def _reads(node: ast.AST, modules: set[str]) -> list[str]:
    """What a node does with the environment, in the words of the code."""
    match node:
        case ast.ImportFrom(module=module, names=names, level=0) if module in MODULES:
            return [f"from {module} import {a.name}" for a in names if a.name in READERS or a.name == "*"]
        case ast.ImportFrom(module=str(module), level=0) if module.partition(".")[0] in OTHER_REGISTRIES:
            return [f"from {module} import"]
        case ast.Import(names=names):
            return [f"import {a.name}" for a in names if a.name.partition(".")[0] in OTHER_REGISTRIES]
        case ast.Attribute(value=value, attr=attribute) if attribute in READERS and _is_os(value, modules):
            return [f"os.{attribute}"]
        case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(attribute)), *_]):
            return [f"os.{attribute}"] if attribute in READERS and _is_os(value, modules) else []
    return []


def _is_os(node: ast.expr, modules: set[str]) -> bool:
    """`os` under any name, `__import__("os")`, `import_module("os")`."""
    match node:
        case ast.Name(id=name):
            return name in modules
        case ast.Call(args=[ast.Constant(value=str(module)), *_]):
            return module in MODULES
    return False


def _choosing(tree: ast.Module) -> set[ast.AST]:
    """The parts of the tree that read or set the settings module's name."""
    chosen: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute() as value), args=[ast.Constant(value=name), *_]):
                chosen |= {value} if name == SETTINGS_MODULE else set()
            case ast.Call(func=ast.Attribute() as value, args=[ast.Constant(value=name), *_]):
                chosen |= {value} if name == SETTINGS_MODULE else set()
            case ast.Subscript(value=ast.Attribute() as value, slice=ast.Constant(value=name)):
                chosen |= {value} if name == SETTINGS_MODULE else set()
    return chosen
