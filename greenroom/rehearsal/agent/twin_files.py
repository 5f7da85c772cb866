"""The safe twins of migrations, as files that can stand in the app's own migrations package."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import sys
from functools import partial
from typing import Any, Dict, List, Match, Sequence, Tuple

from .events import Events
from .operations import flatten
from .twin_joining import Step
from .twin_sql import Unwritable
from .twin_steps import Ran, Rewriting

PERFORMED = "performed.json"  # by migration: what the schema editor has run, what outlasts its operation, the limits
OWN = frozenset("dependencies operations run_before replaces initial atomic".split())  # of Django's migrations
CLASS = "class Migration(migrations.Migration):\n"
SPECIAL = "django.db.migrations.operations.special"  # where RunPython.noop is at home
BEFORE = "# Where the old one has been applied already, take it back with the old file first.\n"
ONE = """\
# The safe twin of %(migration)s, written by Greenroom. Copy it into the package %(package)s, over the old file.
"""
MANY = """\
# The safe twin of %(migration)s, written by Greenroom: step %(number)s of %(count)s, in this order:
%(files)s
# Copy all of them into the package %(package)s. The last bears the old name: what depends on it still does.
"""


def keep(performed: Dict[str, Any], directory: str) -> None:
    """For the one that writes the twins afterwards; in a private directory, as it can quote what migrations write."""
    with open(os.path.join(directory, PERFORMED), "w", encoding="utf-8") as file:
        json.dump(performed, file)


class TwinWriter:
    """Writes the twins that are `wanted`, by migration and operation, and tells of each."""

    def __init__(self, wrapper: Any, events: Events, request: Dict[str, Any]) -> None:
        from django.db.migrations.loader import MigrationLoader

        self._wrapper, self._events = wrapper, events
        self._loader: Any = MigrationLoader(wrapper)
        self._directory: str = request["directory"]
        self._wanted: Dict[str, Dict[str, List[str]]] = request["wanted"]
        self._advised: str = request["lock_timeout"]
        with open(os.path.join(self._directory, PERFORMED), encoding="utf-8") as file:
            self._performed: Dict[str, Dict[str, Dict[str, Any]]] = json.load(file)

    def run(self) -> None:
        for label, wanted in self._wanted.items():
            app, _, name = label.partition(".")
            told: Dict[str, Any] = {"app": app, "name": name, "package": "", "files": [], "left": [], "reason": None}
            try:
                told.update(self._write(app, name, {int(index): hazards for index, hazards in wanted.items()}))
            except Unwritable as error:
                told["reason"] = str(error)
            self._events.send("twin", **told)

    def _write(self, app: str, name: str, wanted: Dict[int, List[str]]) -> Dict[str, Any]:
        migration = self._loader.disk_migrations[app, name]
        _refuse_strange(migration)
        before = self._loader.project_state([(app, name)], at_end=False)
        ran = self._ran("%s.%s" % (app, name))
        rewriting = Rewriting(self._wrapper, migration, before, wanted, ran, self._advised)
        if not rewriting.written and not (rewriting.apart and len(rewriting.steps) > 1):
            raise Unwritable("; ".join(why for _, why in rewriting.left) or "nothing of it could be written otherwise")
        names = _names(name, len(rewriting.steps), self._loader.disk_migrations, app)
        package = type(migration).__module__.rpartition(".")[0]
        directory = os.path.join(self._directory, "files", app)
        os.makedirs(directory, exist_ok=True)
        steps = _made(migration, rewriting.steps, names, self._preceding(app, name))
        _refuse_other_state(app, before, steps, rewriting.state)
        texts = [_text(step, migration, package, names) for step in steps]
        for step, text in zip(names, texts):
            with open(os.path.join(directory, step + ".py"), "w", encoding="utf-8") as file:
                file.write(text)
        return {
            "package": package,
            "files": [step + ".py" for step in names],
            "left": [{"operation": index, "why": why} for index, why in rewriting.left],
        }

    def _preceding(self, app: str, name: str) -> List[Tuple[str, str]]:
        """Migrations that say of themselves that they run before this one, by its name: the last step's."""
        return sorted(key for key, one in self._loader.disk_migrations.items() if (app, name) in one.run_before)

    def _ran(self, label: str) -> Ran:
        performed, bound = (
            {int(index): texts for index, texts in self._performed[kind].get(label, {}).items()}
            for kind in ("performed", "bound")
        )
        return Ran(performed, bound, self._performed["limits"].get(label, {}))


def _refuse_strange(migration: Any) -> None:
    """What another class, or an attribute, does to a migration is not known, nor whether each step needs it."""
    from django.db.migrations import Migration

    kind = type(migration)
    strange = sorted(name for name in vars(kind) if name not in OWN and not name.startswith("__"))
    if migration.replaces:
        raise Unwritable("it stands for migrations that were squashed into it")
    if kind.__bases__ != (Migration,):
        raise Unwritable("its class is made from %s, not from Django's alone" % kind.__bases__[0].__name__)
    if strange:
        raise Unwritable("its class has more than Django's own attributes: %s" % ", ".join(strange))


def _names(name: str, count: int, taken: Any, app: str) -> List[str]:
    """`0005_1_name`, `0005_2_name`, and last `0005_name`: files sort as they run."""
    number, _, rest = name.partition("_")
    prefix, rest = (number, rest) if number.isdigit() and rest else ("", name)
    width = len(str(count - 1))
    names = ["_".join(filter(None, (prefix, str(step).zfill(width), rest))) for step in range(1, count)]
    names = [one if one[0].isalpha() or prefix else "step_" + one for one in names]
    if any((app, one) in taken for one in names):
        raise Unwritable("the app has migrations with the names that its steps would have")
    return [*names, name]


def _made(migration: Any, steps: Sequence[Step], names: Sequence[str], preceding: Sequence[Any]) -> List[Any]:
    """Django's own objects: each depends on the one before, the first on what the migration had to wait for."""
    from django.db.migrations import Migration

    made = []
    for step, name, before in zip(steps, names, [None, *names]):
        one: Any = Migration(name, migration.app_label)
        one.operations, one.atomic = step.operations, step.atomic
        if before is None:
            one.dependencies, one.initial = [_dependency(each) for each in migration.dependencies], migration.initial
            one.dependencies += [each for each in preceding if len(steps) > 1 and each not in one.dependencies]
        else:
            one.dependencies = [(migration.app_label, before)]
        made.append(one)
    made[-1].run_before = list(migration.run_before)
    return made


def _dependency(dependency: Any) -> Tuple[str, str]:
    """As the writer of Django wants a model that can be swapped."""
    from django.conf import settings

    if getattr(dependency, "setting", None) == settings.AUTH_USER_MODEL:
        return "__setting__", "AUTH_USER_MODEL"
    return dependency[0], dependency[1]


def _refuse_other_state(app: str, before: Any, steps: Sequence[Any], wanted: Any) -> None:
    state = before.clone()
    for step in steps:
        for operation in step.operations:
            operation.state_forwards(app, state)
    if _told(state) != _told(wanted):
        raise Unwritable("Django's own state would be another one after it")


def _told(state: Any) -> Dict[Any, Any]:
    """Every model in words: objects within objects, such as the field of an ArrayField, are equal to nothing else."""
    from django.db.migrations.autodetector import MigrationAutodetector

    words = MigrationAutodetector(state, state).deep_deconstruct
    return {
        key: (words(dict(model.fields)), list(model.fields), words(model.options), model.bases, model.managers)
        for key, model in state.models.items()
    }


def _text(step: Any, migration: Any, package: str, names: Sequence[str]) -> str:
    """The file's content. Functions and classes of the old file come along where the step needs them."""
    from django.db.migrations.writer import MigrationWriter

    writer: Any = MigrationWriter(step, include_header=False)
    try:
        text: str = writer.as_string()
    except ValueError as error:  # Django's, whose message quotes the value
        told = ", ".join(operation.describe() for operation in step.operations)
        raise Unwritable("Django cannot write down all of this: %s" % told) from error
    more = "\n    atomic = False\n" * (not step.atomic)
    if step.run_before:
        more += "\n    run_before = %s\n" % MigrationWriter.serialize(step.run_before)[0]
    text = text.replace("import %s\n" % SPECIAL, "").replace(SPECIAL + ".", "migrations.")
    text = _readable(text.replace(CLASS, CLASS + more, 1), step.operations)
    header = (ONE if len(names) == 1 else MANY) % {
        "migration": "%s.%s" % (migration.app_label, migration.name),
        "number": names.index(step.name) + 1,
        "count": len(names),
        "files": "\n".join("#   %s.py%s" % (one, ", over the old file" * (one == names[-1])) for one in names),
        "package": package,
    }
    header += BEFORE
    own = type(migration).__module__ + "."
    if own not in text:
        return header + "\n" + text
    others = set(re.findall(r"^# (%s\.\S+)$" % re.escape(package), text, re.MULTILINE)) - {own[:-1]}
    if others:
        raise Unwritable("it uses functions of another migration (%s)" % ", ".join(sorted(others)))
    text = re.sub(r"\n*# Functions from the following migrations need manual copying\.\n(?:# .*\n?)+", "\n", text)
    imports, _, rest = text.replace("import %s\n" % own[:-1], "").replace(own, "").partition(CLASS)
    return header + "\n" + _prelude(migration, imports) + "\n\n" + CLASS + rest


def _readable(text: str, operations: Sequence[Any]) -> str:
    """Statements a line each, and scripts of several lines as such: the writer of Django has everything in one."""
    for operation in flatten(operations):
        for name in ("sql", "reverse_sql"):
            sql = getattr(operation, name, None)
            old = "%s=%r," % (name, sql)
            if isinstance(sql, list):
                text = re.sub(r"^( *)" + re.escape(old), partial(_listed, name, sql), text, flags=re.MULTILINE)
            elif isinstance(sql, str) and "\n" in sql and "\\" not in sql and '"""' not in sql:
                text = text.replace(old, '%s="""\n%s\n""",' % (name, sql))
    return text.replace("reverse_sql='',", "reverse_sql=migrations.RunSQL.noop,")


def _listed(name: str, statements: Sequence[str], match: Match[str]) -> str:
    indent = match[1]
    lines = ["%s    %r,\n" % (indent, statement) for statement in statements]
    return "%s%s=[\n%s%s]," % (indent, name, "".join(lines), indent)


def _prelude(migration: Any, imports: str) -> str:
    """The old file without its docstring and its migration, with the imports that the new one needs beside."""
    kind = type(migration)
    try:
        source = inspect.getsource(sys.modules[kind.__module__])
    except OSError as error:
        raise Unwritable("it uses functions of its file, whose source is not there") from error
    lines, parts = source.splitlines(), ast.parse(source).body
    gone = [part for part in parts if isinstance(part, ast.ClassDef) and part.name == kind.__name__]
    if parts and ast.get_docstring(ast.parse(source)) is not None:
        gone.append(parts[0])  # type: ignore[arg-type]
    dropped = {number for part in gone for number in range(part.lineno - 1, part.end_lineno or part.lineno)}
    kept = [line for number, line in enumerate(lines) if number not in dropped]
    future = [line for line in kept if line.startswith("from __future__")]
    kept = [line for line in kept if line not in future]
    new = [line for line in imports.splitlines() if line and not _imported(line, parts)]
    return "\n".join([*future, *new, *kept]).strip() + "\n"


def _imported(line: str, parts: Sequence[ast.stmt]) -> bool:
    """Whether the file has all that this import would bring."""
    known = {_bound(part, name) for part in parts for name in getattr(part, "names", ())}
    return {_bound(part, name) for part in ast.parse(line).body for name in getattr(part, "names", ())} <= known


def _bound(part: ast.stmt, name: Any) -> Tuple[Any, ...]:
    return type(part), getattr(part, "module", None), getattr(part, "level", None), name.name, name.asname
