"""Where every connection of ours begins, and where one ends that is interrupted before it is one."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping

import psycopg
from psycopg.conninfo import make_conninfo

# else what it ignores (no ROLLBACK by a session that was interrupted) goes to standard error
logging.getLogger("psycopg").addHandler(logging.NullHandler())


def dialled(parameters: Mapping[str, str]) -> psycopg.Connection:
    """A connection in autocommit mode, by libpq's parameters. Raises psycopg.Error.

    An interrupted attempt is closed at once, not when the exception is forgotten whose frames hold it: what is released
    meanwhile may wait for its backend, and that for the rest of the words (authentication_timeout, a minute).
    """
    try:
        return psycopg.connect(make_conninfo(**parameters), autocommit=True)
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        raise
