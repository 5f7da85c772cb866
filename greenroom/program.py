"""Invoke's program with exit codes that hold: 0 done, 1 the answer is no, 2 could not run, 130 and 143 interrupted.

Bare `inv` runs the same tasks, with Invoke's own codes for usage errors.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from inspect import getdoc
from textwrap import indent
from typing import Any

from invoke import Program as InvokeProgram
from invoke import Task
from invoke.exceptions import Exit, ParseError, UnexpectedExit
from invoke.loader import FilesystemLoader
from invoke.parser import Argument, Parser, ParserContext
from invoke.parser.context import translate_underscores

from greenroom import __version__
from greenroom.errors import COULD_NOT_RUN, DONE, INTERRUPTED, GreenroomError, Terminated, closest
from greenroom.interrupts import nothing_interrupts, raise_when_terminated

BUG = 70  # EX_SOFTWARE of sysexits.h: 1 is taken, it means that the answer is no

_UNKNOWN = re.compile(r"No idea what (['\"])(?P<token>.*)\1 is!", re.DOTALL)
_VALUELESS = re.compile(r"Flag <\w+: (?P<name>[^ >]+).* needed value")
_HELP = ("--help", "-h")
_KINDS: dict[type, str] = {int: "a whole number", float: "a number"}


class HelpWanted(Exception):
    """`--help` stands where a task has its first word, which Invoke would take it for."""


class Program(InvokeProgram):
    """`./inv`: one sentence and a hint for a mistake that a person can mend, and a code that scripts can rely on."""

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:
        """Run the tasks that `argv` names, and leave the process with their exit code, unless `exit` is false."""
        try:
            code = self.answer(argv)
        finally:
            if exit:
                nothing_interrupts()
        if exit:
            sys.exit(code)

    def answer(self, argv: list[str] | None = None) -> int:
        """Run the tasks that `argv` (default: the process's own) names; their exit code. Only SystemExit escapes."""
        raise_when_terminated()
        try:
            self._work(argv)
            return DONE
        except KeyboardInterrupt:
            return _say("Interrupted.", INTERRUPTED)
        except Terminated as error:
            return _say("Terminated.", 128 + error.signal)
        except GreenroomError as error:
            return _say(str(error), error.code)
        except ParseError as error:
            return _say(self._usage_error(error), COULD_NOT_RUN)
        except UnexpectedExit as error:
            return _say(str(error) if error.result.hide else "", error.result.exited)
        except Exit as error:
            # Invoke's own refusals (no such collection) have a message and no code: they could not run
            return _say(error.message or "", COULD_NOT_RUN if error.message and error._code is None else error.code)
        except Exception as error:
            if isinstance(error, BrokenPipeError) and _nobody_reads():
                return 128 + signal.SIGPIPE
            sys.excepthook(*sys.exc_info())
            return _say("This is a bug, not a mistake of yours: please report it with the lines above.", BUG)

    def _work(self, argv: list[str] | None) -> None:
        """Invoke's own steps, in its order."""
        bytecode = sys.dont_write_bytecode
        self.create_config()
        self.parse_core(argv)
        sys.dont_write_bytecode = bytecode  # Invoke forbids it, and every start would compile the tasks again
        self.parse_collection()
        self.parse_tasks()
        self.parse_cleanup()
        self.update_config()
        self.execute()

    def core_args(self) -> list[Argument]:
        """Invoke's, with numbers that refuse what is none."""
        return [_strict(argument) for argument in super().core_args()]

    def _make_parser(self) -> Parser:
        parser = super()._make_parser()
        for context in parser.contexts.values():
            for argument in context.args.values():
                _strict(argument, context)
        return parser

    def parse_tasks(self) -> None:
        """`./inv TASK --help` is help for every task, also for one that needs a word first."""
        try:
            super().parse_tasks()
        except HelpWanted as wanted:
            self.print_task_help(str(wanted))
            raise Exit from None

    def print_task_help(self, name: str) -> None:
        """As Invoke prints it, and in the usage the words that the task takes."""
        context = self.parser.contexts[name]
        words = [translate_underscores(argument.name or "").upper() for argument in context.positional_args]
        options = context.help_tuples()
        usage = [self.binary, "[--core-opts]", name, *words, *(["[--options]"] if options else [])]
        print(f"Usage: {' '.join(usage)} [other tasks here ...]\n\nDocstring:")
        print(indent(getdoc(self.collection[name]) or "none", self.leading_indent), end="\n\n")
        print("Options:")
        if options:
            self.print_columns(options)
        else:
            print(f"{self.leading_indent}none\n")

    def no_tasks_given(self) -> None:
        """`./inv` alone lists the tasks."""
        self.list_tasks()
        raise Exit

    def list_tasks(self) -> None:
        """Refuse a format that there is not, where Invoke shows a traceback."""
        if self.list_format not in ("flat", "nested", "json"):
            raise GreenroomError(f"--list-format is flat, nested or json, not {self.list_format}.")
        super().list_tasks()

    def list_flat(self) -> None:
        """The tasks in the groups that their files make; a part of the tree as Invoke prints it."""
        if self.list_root or self.list_depth:
            super().list_flat()
            return
        groups: dict[str, list[tuple[str, str]]] = {}
        names = self.collection.task_names
        width = max(len(name) for name in names)
        for name in sorted(names):
            task = self.collection[name]
            groups.setdefault(_heading(task), []).append((name.ljust(width), _summary(task)))
        print(f"Tasks ({self.binary} --help TASK tells more):\n")
        for heading in sorted(groups):
            print(f"{heading}:")
            self.print_columns(groups[heading])

    def _usage_error(self, error: ParseError) -> str:
        """What is wrong, in a sentence, and on the next line what was perhaps meant."""
        task = getattr(error.context, "name", None)
        more = f"{self.binary} --help {task}" if task else f"{self.binary} --list"
        if unknown := _UNKNOWN.fullmatch(str(error)):
            return self._unknown(unknown["token"], error, more)
        if valueless := _VALUELESS.match(str(error)):
            return f"--{translate_underscores(valueless['name'])} needs a value.\n  Its meaning: {more}"
        return f"{str(error).rstrip('.!')}.\n  What there is: {more}"

    def _unknown(self, token: str, error: ParseError, more: str) -> str:
        task = getattr(error.context, "name", None)
        if token.startswith("-"):
            known = [*(error.context.flags if error.context else ()), *self.initial_context.flags]
            said = f"{task} has no option {token}." if task else f"There is no option {token}."
        else:
            known = list(self.collection.task_names)
            said = f"There is no task {token}."
        near = f"Did you mean {meant}? " if (meant := closest(token, known)) else ""
        return f"{said}\n  {near}What there is: {more}"


class TasksFile(FilesystemLoader):
    """The tasks.py in the current directory or the nearest above it.

    Invoke would take a package `tasks` as well: from inside `greenroom/`, the wrong one.
    """

    def find(self, name: str) -> ModuleSpec | None:
        """Raises GreenroomError where there is none."""
        start = os.path.abspath(self.start)
        directory = start
        while not os.path.isfile(os.path.join(directory, f"{name}.py")):
            directory, below = os.path.dirname(directory), directory
            if directory == below:
                raise GreenroomError(f"There is no {name}.py in {start} or above it.", "Run it inside the checkout.")
        return spec_from_file_location(name, os.path.join(directory, f"{name}.py"))


class StrictArgument(Argument):
    """An option whose bad value is a usage error, where Invoke shows a traceback."""

    context: ParserContext | None

    def set_value(self, value: Any, cast: bool = True) -> None:
        """Raises ParseError naming the option, GreenroomError for an empty value: most often of an unset variable.

        A first word is none that looks like an option, but for `-` alone.
        """
        if value == "" and self.kind in (str, list):
            said = translate_underscores(self.name or "")
            raise GreenroomError(
                f"{said.upper() if self.positional else f'--{said}'} is empty: is a variable not set?",
                "Give it a value, or leave it out.",
            )
        if self.positional and self.context and isinstance(value, str) and re.match("-.", value):
            if value in _HELP:
                raise HelpWanted(self.context.name)
            raise ParseError(f"No idea what {value!r} is!", self.context)
        try:
            super().set_value(value, cast)
        except ValueError:
            option = f"--{translate_underscores(self.name or '')}"
            raise ParseError(
                f"{option} needs {_KINDS.get(self.kind, 'another value')}, not {value!r}", self.context
            ) from None


def main() -> None:
    """The entry of `./inv` and `python -m greenroom`."""
    Program(
        name="inv (Greenroom)",
        version=__version__,
        binary="./inv",
        binary_names=["./inv", "inv"],
        loader_class=TasksFile,
    ).run()


def _strict(argument: Argument, context: ParserContext | None = None) -> Argument:
    argument.__class__ = StrictArgument  # Invoke makes them itself, deep in Task, with no way to name a class
    vars(argument)["context"] = context
    return argument


def _say(message: str, code: int) -> int:
    if message:
        sys.stdout.flush()
        print(message, file=sys.stderr)
    return code


def _nobody_reads() -> bool:
    """Whether standard output is a pipe whose reader has gone (`./inv lint | head -5`); what is left goes nowhere."""
    poll = select.poll()
    poll.register(sys.stdout, 0)  # errors are told without asking
    gone = bool(poll.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return gone


def _heading(task: Task[Any]) -> str:
    """The title of a task's file: its docstring up to the first colon or full stop."""
    text = sys.modules[task.body.__module__].__doc__ or "Tasks of this repository"
    return re.split(r"[:.\n]", text.strip(), maxsplit=1)[0]


def _summary(task: Task[Any]) -> str:
    return (task.__doc__ or "").strip().partition("\n")[0]
