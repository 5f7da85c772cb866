"""Environment variables that the app's code reads beside the registry, found in its syntax tree.

Names are followed where they are bound (`import os as o`, `o = os`), and nothing is run: what is put together at run
time, such as `vars(os)["environ"]`, is not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

READERS = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})
EXPANDERS = frozenset({"expandvars"})  # of os.path, under whatever name
KEYWORDS = frozenset({"envvar", "auto_envvar_prefix"})  # click's options: each reads a variable
LIBRARY = "pydantic_settings"  # the registry's own
OTHER_REGISTRIES = frozenset({"environ", "decouple", "environs", "dotenv", "dj_database_url", LIBRARY})
MODULES = frozenset({"os", "posix"})
IMPORTERS = frozenset({"__import__", "import_module", "import_string"})  # of what a text names
SETTINGS_MODULE = "DJANGO_SETTINGS_MODULE"
DECLARING = "variables"  # beside the registry, with what it declares by
READING = "values"  # beside the registry too: where its values come from
DECLARATION, CLASS = "variable", "Variables"  # what is there
CHOOSING = frozenset({"manage.py", "wsgi.py", "asgi.py"})  # these name the settings module, and nothing else
PASSED_OVER = frozenset({"build", "node_modules", "__pycache__", "site-packages"})


class Reading(NamedTuple):
    """A place where a variable is read (or set) past the registry."""

    path: Path
    line: int
    what: str


def readings(directory: Path, registry: Path) -> list[Reading]:
    """Of every Python file below the directory but the registry itself, by path and line."""
    return [
        reading
        for path in _files(directory)
        if path != directory / registry
        for reading in readings_of(path, directory, registry)
    ]


def readings_of(path: Path, directory: Path, registry: Path) -> list[Reading]:
    """Of one file; one that is not Python is a reading too: nobody can say what it reads."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [Reading(path, getattr(error, "lineno", 0) or 0, "it is not readable Python, and cannot be checked")]
    modules, others = _bound(tree), _choosing(tree) if path.name in CHOOSING else set()
    is_beside = path in [directory / registry.with_stem(name) for name in (DECLARING, READING)]
    registries = OTHER_REGISTRIES - {LIBRARY} if is_beside else OTHER_REGISTRIES
    found = {
        Reading(path, node.lineno, what)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.expr) and node not in others
        for what in _reads(node, modules, registries)
    }
    if not is_beside:
        place = path.relative_to(directory).parent.parts
        found |= {Reading(path, line, what) for line, what in _declarations(tree, place, registry)}
    return sorted(found)


def _files(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*.py")):
        parts = path.relative_to(directory).parts
        passed_over = any(part in PASSED_OVER or part.startswith((".", "venv")) for part in parts)
        if path.is_file() and not passed_over:
            yield path


def _bound(tree: ast.Module) -> set[str]:
    """The names under which the file has `os`, also as an attribute."""
    names = set(MODULES)
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {alias.asname for alias in aliases if alias.name in MODULES and alias.asname}
            case ast.Assign(targets=targets, value=value) if _is_os(value, names):
                names |= {_last(target) for target in targets}
            case ast.NamedExpr(target=target, value=value) if _is_os(value, names):
                names.add(target.id)
            case ast.AnnAssign(target=target, value=ast.expr() as value) if _is_os(value, names):
                names.add(_last(target))
    return names - {""}


def _reads(node: ast.AST, modules: set[str], registries: frozenset[str]) -> list[str]:
    """What a node does with the environment, in the words of the code."""
    match node:
        case ast.ImportFrom(module=module, names=names, level=0) if module in MODULES:
            return [f"from {module} import {a.name}" for a in names if a.name in READERS or a.name == "*"]
        case ast.ImportFrom(module=str(module), level=0) if module.partition(".")[0] in registries:
            return [f"from {module} import"]
        case ast.ImportFrom(module=str(module), names=names, level=0):
            return [f"from {module} import {a.name}" for a in names if a.name in EXPANDERS]
        case ast.Import(names=names):
            return [f"import {a.name}" for a in names if a.name.partition(".")[0] in registries]
        case ast.Attribute(value=value, attr=attribute):
            return _attribute(value, attribute, modules)
        case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(attribute)), *_]):
            return _attribute(value, attribute, modules)
        case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if _last(func) in IMPORTERS:
            return [f"{_last(func)}({name!r})"] if _reads_by_import(name, registries) else []
        case ast.Call(keywords=keywords):
            return [f"{keyword.arg}=" for keyword in keywords if keyword.arg in KEYWORDS]
    return []


def _reads_by_import(name: str, registries: frozenset[str]) -> bool:
    """Whether the dotted name is of a library that reads variables, or of what reads them itself."""
    first, _, rest = name.partition(".")
    last = rest.rpartition(".")[2]
    return first in registries or last in EXPANDERS or (first in MODULES and last in READERS)


def _attribute(value: ast.expr, attribute: str, modules: set[str]) -> list[str]:
    """Of a name that is not `os` it is another thing, such as `request.environ`; what is no name may be `os`."""
    if attribute in EXPANDERS:
        return [f"os.path.{attribute}"]
    is_other = isinstance(value, ast.Name | ast.Attribute) and not _is_os(value, modules)
    return [f"os.{attribute}"] if attribute in READERS and not is_other else []


def _is_os(node: ast.expr, modules: set[str]) -> bool:
    """`os` under any name, `shutil.os`, `__import__("os")`, `import_module("os")`."""
    match node:
        case ast.Name() | ast.Attribute():
            return _last(node) in modules
        case ast.Call(args=[ast.Constant(value=str(module)), *_]):
            return module in MODULES
    return False


def _last(node: ast.expr) -> str:
    """The last word of a name with or without dots; nothing where it is none."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _declarations(tree: ast.Module, place: tuple[str, ...], registry: Path) -> Iterator[tuple[int, str]]:
    """Where variables are declared in a file that is not the registry. `place`: the packages that the file is in."""
    known = {".".join([*registry.parent.parts, name]) for name in (registry.stem, DECLARING, READING)}
    declaring = ".".join([*registry.parent.parts, DECLARING])
    bound: set[str] = set()  # the names of these modules, and of the classes that are imported from them
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                bound |= {alias.asname or alias.name.rpartition(".")[2] for alias in names if alias.name in known}
            case ast.ImportFrom(names=names):
                module = _module(node, place)
                wholes = {alias.asname or alias.name: f"{module}.{alias.name}" for alias in names}
                if module == declaring:  # what else is there, such as BadEnvironment, has no variables
                    wholes = {name: whole for name, whole in wholes.items() if whole == f"{declaring}.{CLASS}"}
                bound |= {name for name, whole in wholes.items() if module in known or whole in known}
                if module in known and {alias.name for alias in names} & {DECLARATION, "*"}:
                    yield node.lineno, f"from {module} import {DECLARATION}"
            case ast.Attribute(value=value, attr=attribute) if attribute == DECLARATION and _last(value) in bound:
                yield node.lineno, ast.unparse(node)
            case ast.ClassDef(name=name, bases=bases):
                for base in bases:  # it has variables of its own
                    if _last(base.value if isinstance(base, ast.Attribute) else base) in bound:
                        yield node.lineno, f"class {name}({ast.unparse(base)})"


def _module(node: ast.ImportFrom, place: tuple[str, ...]) -> str:
    """The whole name of the module that something is imported from."""
    above = place[: len(place) - node.level + 1] if node.level else ()
    return ".".join([*above, *([node.module] if node.module else [])])


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
