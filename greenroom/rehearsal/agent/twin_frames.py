"""What goes around a step's operations: settings that were in force there, and the limits that it needs or lifts."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

from .twin_bounds import LIMITS, Setting, limit
from .twin_sql import BRIEF, CONCURRENT, FILL

WAITS = "SET LOCAL lock_timeout = '%s'"  # as H44 advises: nobody queues behind it for longer
LIFTED = {CONCURRENT: LIMITS, FILL: ("statement_timeout",)}  # by kind: what would leave an invalid index, or half of it


def framed(
    operations: Sequence[Any],
    kind: str,
    atomic: bool,
    settings: Sequence[Setting],
    at_start: Dict[str, str],
    hints: Dict[str, Any],
    advised: str,
) -> List[Any]:
    """The operations with theirs around them. `at_start`: the limits when the migration began; `advised`: the
    lock_timeout of a step that had none."""
    before, after = _in_transaction(kind, settings, at_start, advised) if atomic else _alone(kind, settings, at_start)
    return [*_run(before, hints), *operations, *_run(after, hints)]


def _in_transaction(
    kind: str, settings: Sequence[Setting], at_start: Dict[str, str], advised: str
) -> Tuple[List[str], List[str]]:
    """A limit that the migration has chosen stays, even where it is none."""
    chosen = any(setting.name == "lock_timeout" for setting in settings) or limit("lock_timeout", settings, at_start)
    return [setting.sql for setting in settings] + [WAITS % advised] * (kind == BRIEF and not chosen), []


def _alone(kind: str, settings: Sequence[Setting], at_start: Dict[str, str]) -> Tuple[List[str], List[str]]:
    """Outside of a transaction SET LOCAL sets nothing: it is set for the session, and reset in the end."""
    lifted = LIFTED.get(kind, ())
    before, after = [], []
    for setting in settings:
        if setting.name in lifted:
            continue
        before.append(setting._replace(local=False).sql)
        if setting.local:
            after.append("RESET %s" % setting.name)
    for name in lifted:
        over = limit(name, settings, at_start, session=True)
        chosen = [setting for setting in settings if setting.name == name and not setting.local]
        if over:
            before.append("SET %s = 0" % name)
            after.append(over.sql)
        elif chosen:
            before.append(chosen[-1].sql)
    return before, after


def _run(statements: Sequence[str], hints: Dict[str, Any]) -> List[Any]:
    from django.db import migrations

    return [migrations.RunSQL(sql=sql, reverse_sql=migrations.RunSQL.noop, hints=hints or None) for sql in statements]
