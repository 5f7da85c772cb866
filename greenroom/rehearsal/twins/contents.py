"""Whether the twin leaves the same rows and values as the migration does."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.postgres.address import Address
from greenroom.postgres.server import connect
from greenroom.rehearsal import values
from greenroom.rehearsal.drills import Stage
from greenroom.rehearsal.drills.back import concerned
from greenroom.rehearsal.recorder import label
from greenroom.rehearsal.report.words import counted
from greenroom.rehearsal.values import Values

_TIMES = """
SELECT n.nspname || '.' || c.relname, a.attname::text
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_type t ON t.oid = a.atttypid
WHERE t.typcategory = 'D' AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
"""


def differences(stage: Stage, clone: Address) -> list[str]:
    """In words, of tables that the migrations concern. Times may differ: the clock went on between the runs."""
    tables = concerned(stage.watched)
    with connect(stage.copy.admin) as wanted, connect(clone) as found:
        times = {(label(table), column) for table, column in wanted.execute(_TIMES).fetchall()}
        one, other = values.read(wanted, tables), values.read(found, tables)
    return [
        f"{words} of {table}"
        for table in sorted(one.keys() & other.keys())
        for words in _differing(one[table], other[table], {column for of, column in times if of == table})
    ]


def _differing(wanted: Values, found: Values, times: set[str]) -> Iterator[str]:
    if wanted.rows != found.rows:
        yield f"{counted(found.rows, 'row')} instead of {counted(wanted.rows, 'row')}"
        return
    for column, (count, checksum) in wanted.columns.items():
        after, other = found.columns.get(column, (count, checksum))
        if after != count:
            yield f"{counted(after, 'value')} of column {column} instead of {counted(count, 'value')}"
        elif other != checksum and column not in times:
            yield f"other values in column {column}"
