"""The story of one run, from the request to `done` or `failed`."""

from __future__ import annotations

import importlib
import os
import platform
import sys
import threading
from contextlib import suppress
from typing import Any, Dict, NoReturn, Optional

from .dialogue import Dialogue, stop_on_signals
from .events import FAILED, Stop
from .exercise import Exercise
from .failures import diagnosis, frames, one_line, tell_failure
from .guards import DatabaseGuard, NetworkGuard, close_services
from .halt import Halt
from .origin import Origin
from .planner import Planner
from .session import raw_cursor
from .settings import load_settings, target_connection
from .shadow import put_in_front
from .steps import Steps
from .twin_files import TwinWriter, keep
from .watch import Watch

PROTOCOL = 1


class Run:
    """One rehearsal from the request to `done` or `failed`."""

    _guard: DatabaseGuard

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue, self._events = dialogue, dialogue.events
        self._request = dialogue.listen()
        self._alias: str = self._request["alias"]
        self._during = "start"
        self._wrapper: Any = None
        self._watch: Optional[Watch] = None
        self._steps: Optional[Steps] = None
        self._origin: Optional[Origin] = None

    def to_its_end(self) -> int:
        """The exit code: 0 done, or nothing wanted any more; 1 failed."""
        stop_on_signals(self._events, lambda: self._wrapper.connection)
        try:
            self._prepare()
            if self._request.get("check"):
                return self._done()
            self._prove()
            self._greet()
            if self._request.get("exercise"):
                self._during = "exercise"
                Exercise(self._wrapper, self._events).run(self._request["exercise"], self._request.get("written"))
                return self._done()
            if self._request.get("twins"):
                self._during = "twins"
                TwinWriter(self._wrapper, self._events, self._request["twins"]).run()
                return self._done()
            self._during = "plan"
            request = self._request
            planner = Planner(self._wrapper, request.get("targets") or [], request.get("undo") or [])
            self._events.send("plan", **planner.describe())
            if not self._dialogue.listen().get("go"):
                return 0
            self._during = "migrate"
            self._migrate(planner)
        except (Exception, SystemExit) as error:
            self._close()
            self._fail(error)
            return FAILED
        return self._done()

    def _done(self) -> int:
        self._close()
        self._events.send("done")
        return 0

    def _prepare(self) -> None:
        """Close what must be closed, load the project's settings."""
        request = self._request
        if request["protocol"] != PROTOCOL:
            raise Stop("The agent speaks protocol %s and was asked for %s." % (PROTOCOL, request["protocol"]))
        os.environ.update(request.get("environment") or {})
        os.chdir(request["project"])
        sys.path.insert(0, request["project"])
        if request.get("origin"):
            self._origin = Origin(project=request["project"], **request["origin"])
            self._origin.put_in_front()
        closed = not request.get("allow_network")
        if closed:
            sys.addaudithook(NetworkGuard(self._events, [(host, port) for host, port in request.get("allowed") or ()]))
        self._guard = DatabaseGuard(self._events, self._alias, request["lease"])
        self._guard.close_drivers()
        settings = load_settings(request)
        if closed:
            close_services(settings)
        self._wrapper = target_connection(self._alias)

    def _prove(self) -> None:
        """Prove that the database is the copy, then load the project's apps."""
        guard, request = self._guard, self._request
        guard.close_aliases()
        guard.show_lease(self._wrapper)
        put_in_front(request.get("shadow") or {})
        importlib.import_module("django").setup()
        if self._origin:
            self._refuse_strangers(self._origin)
        self._wrapper.ensure_connection()
        guard.connected = self._connected

    def _refuse_strangers(self, origin: Origin) -> None:
        self._during = "origin"
        strangers = origin.strangers()
        if strangers:
            raise Stop("%s was loaded from elsewhere." % ", ".join(strangers))
        self._during = "start"

    def _greet(self) -> None:
        wrapper = self._wrapper
        cursor = raw_cursor(wrapper.connection)
        names = "'lock_timeout'", "'statement_timeout'"
        shown = ", ".join("pg_catalog.current_setting(%s)" % name for name in names)
        cursor.execute("SELECT current_user::text, " + shown)
        role, lock_timeout, statement_timeout = cursor.fetchone()
        self._events.send(
            "ready",
            python=platform.python_version(),
            django=importlib.import_module("django").__version__,
            driver="%s %s" % (wrapper.Database.__name__, wrapper.Database.__version__.split()[0]),
            role=role,
            lock_timeout=lock_timeout,
            statement_timeout=statement_timeout,
            lease=self._request["lease"],
        )
        self._connected(wrapper)

    def _connected(self, wrapper: Any) -> None:
        """After each connect of the alias: tell the backend's pid, and go on watching."""
        if threading.current_thread() is not threading.main_thread():
            return self._events.note("A thread of the app connected on its own: its statements were not watched.")
        self._wrapper = wrapper
        self._events.send("connection", pid=wrapper.connection.info.backend_pid)
        if self._watch:
            self._watch.attend(wrapper)
        return None

    def _migrate(self, planner: Planner) -> None:
        """The project's own `migrate` command, once for each target."""
        from django.core.management import call_command

        self._watch = Watch(self._wrapper, self._events, bool(self._request.get("wal")))
        halt = Halt(self._events, self._dialogue.listen, self._request.get("halt"))
        self._watch.statement_ended = halt.statement_ended
        self._steps = Steps(self._alias, self._events, self._watch, halt, bool(self._request.get("performed")))
        self._steps.install()
        for arguments in planner.arguments or [()]:
            call_command("migrate", *arguments, database=self._alias, interactive=False, verbosity=0)
        request = self._request
        if request.get("performed"):
            steps = self._steps
            keep({"performed": steps.performed, "bound": steps.bound, "limits": steps.limits}, request["performed"])

    def _fail(self, error: BaseException) -> None:
        """With a message as long as nothing has run; with code frames and no message once data may stand in it."""
        facts: Dict[str, Any] = {}
        if self._during in ("start", "origin", "plan"):
            facts["message"] = str(error) if isinstance(error, Stop) else one_line(error)
        else:
            facts["frames"] = frames(error, os.path.abspath(self._request["project"]))
            facts["operation"] = self._steps.failed_operation if self._steps else None
        tell_failure(self._events, self._during, type(error).__name__, **facts, **diagnosis(error))

    def _close(self) -> None:
        """Before the last event: whoever hears it may drop the database."""
        with suppress(Exception):
            self._wrapper.close()


def main() -> NoReturn:
    """Run once, and leave with its exit code."""
    dialogue = Dialogue()
    code = Run(dialogue).to_its_end()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    dialogue.events.leave(code)
