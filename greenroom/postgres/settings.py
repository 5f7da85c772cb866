"""The settings of a server that change what a rehearsal measures, and those that end a session."""

from __future__ import annotations

import psycopg

TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
_NEWER_TIMEOUTS = {140000: "idle_session_timeout", 170000: "transaction_timeout"}
# by `connect`: what the role has is the reset_val
_CHANGED_HERE = (*TIMEOUTS, *_NEWER_TIMEOUTS.values(), "search_path")

SETTINGS = (
    "autovacuum",
    "checkpoint_timeout",
    "cpu_tuple_cost",
    "default_statistics_target",
    "effective_cache_size",
    "fsync",
    "full_page_writes",
    "hash_mem_multiplier",
    "idle_in_transaction_session_timeout",
    "jit",
    "lc_collate",
    "lock_timeout",
    "maintenance_work_mem",
    "max_parallel_maintenance_workers",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "max_wal_size",
    "random_page_cost",
    "search_path",
    "seq_page_cost",
    "shared_buffers",
    "statement_timeout",
    "synchronous_commit",
    "TimeZone",
    "transaction_timeout",
    "wal_level",
    "work_mem",
)


def timeouts_of(version_num: int) -> list[str]:
    """All settings of such a server that can end a session, or what it does."""
    return [*TIMEOUTS, *(name for version, name in _NEWER_TIMEOUTS.items() if version_num >= version)]


def settings_of(connection: psycopg.Connection) -> dict[str, str]:
    """The settings that change the result, as SHOW prints them to the role (lc_collate: of the database)."""
    rows = connection.execute(
        "SELECT name, CASE WHEN name = ANY (%s) THEN reset_val ELSE current_setting(name) END FROM pg_settings "
        "WHERE name = ANY (%s)",
        [list(_CHANGED_HERE), list(SETTINGS)],
    ).fetchall()
    rows = [
        (name, _as_shown(int(value)) if name.endswith("_timeout") and value.isdecimal() else value)
        for name, value in rows
    ]
    collate = connection.execute("SELECT datcollate FROM pg_database WHERE datname = current_database()").fetchone()
    found = {**dict(rows), "lc_collate": collate[0] if collate else ""}
    return {name: found[name] for name in SETTINGS if name in found}


def _as_shown(milliseconds: int) -> str:
    """`15ms`, `2s`, `1min`: the largest unit that leaves no rest."""
    units = {"d": 86_400_000, "h": 3_600_000, "min": 60_000, "s": 1000, "ms": 1}
    unit = next(unit for unit, size in units.items() if milliseconds % size == 0)
    return f"{milliseconds // units[unit]}{unit}" if milliseconds else "0"
