"""What went wrong: class, SQLSTATE, names and places in the code, never a value of the data."""

from __future__ import annotations

import os
import traceback
from typing import Any, Dict, List, Optional, Set

from .events import Events
from .origin import PACKAGES, is_installed

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")  # before anybody changes the working directory


def tell_failure(events: Events, during: str, exception: str, message: Optional[str] = None, **facts: Any) -> None:
    """The event `failed`, with every key that the protocol names."""
    nothing = dict.fromkeys(("sqlstate", "table", "column", "constraint", "operation"))
    events.send("failed", during=during, exception=exception, message=message, **{**nothing, "frames": [], **facts})


def diagnosis(error: Optional[BaseException]) -> Dict[str, Any]:
    """What the server says beside its message, which can carry data."""
    said = _of_the_server(error)
    if said is None:
        return {}
    about = getattr(said, "diag", None)
    names = {"table": "table_name", "column": "column_name", "constraint": "constraint_name"}
    return {"sqlstate": _sqlstate(said), **{key: getattr(about, name, None) for key, name in names.items()}}


def refusing_table(error: Optional[BaseException]) -> Optional[str]:
    """The table that the server names, as `schema.table`; None where it names none."""
    about = getattr(_of_the_server(error), "diag", None)
    schema, table = getattr(about, "schema_name", None), getattr(about, "table_name", None)
    return "%s.%s" % (schema, table) if schema and table else table


def _of_the_server(error: Optional[BaseException]) -> Optional[BaseException]:
    """The error that the server has sent: Django keeps the driver's as the cause."""
    seen: Set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if _sqlstate(error):
            return error
        error = error.__cause__ or error.__context__
    return None


def _sqlstate(error: BaseException) -> Optional[str]:
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


def frames(error: BaseException, project: str) -> List[Dict[str, Any]]:
    """Where in the code, without any line of it: the innermost frames, and those of the project's own files."""
    found = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = os.path.abspath(frame.f_code.co_filename)
        if not file.startswith(HERE):
            found.append((file.startswith(project + os.sep) and not is_installed(file), file, line, frame))
    own = [number for number, one in enumerate(found) if one[0]][-8:]
    chosen = sorted({*own, *range(len(found))[-4:]})
    return [
        {
            "file": _relative(found[number][1], project),
            "line": found[number][2],
            "function": found[number][3].f_code.co_name,
        }
        for number in chosen
    ]


def _relative(file: str, project: str) -> str:
    for packages in PACKAGES:
        if packages in file:
            return file.rpartition(packages)[2]
    return os.path.relpath(file, project) if file.startswith(project + os.sep) else file


def one_line(error: BaseException) -> str:
    """Class and message, only for what went wrong before any data was touched."""
    return " ".join(("%s: %s" % (type(error).__name__, error)).split())
