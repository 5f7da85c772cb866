"""The planner's statistics of a source, for its copy: the same queries have the same plans on both.

They hold values of rows (the most common ones, and bounds of histograms), so they are read of no table of which the
copy is not to have all rows as they are, and never printed; those of materialised views, which may show such rows, stay
behind too.

- `reading`  what pg_stats tells on the source, read by a child while rows are on their way
- `giving`   writing it into pg_statistic of the copy, by several sessions

A table gets them whole or not at all: not where a column of the source's has none, or one of a type whose statistics
pg_stats does not tell in full, nor with extended statistics. Those tables are left to ANALYZE.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# so that each value's text is read as what it was, on a server with other settings too
ALIKE = {
    "search_path": "",
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "extra_float_digits": "3",
    "lc_monetary": "C",
}


@dataclass(frozen=True)
class Statistics:
    """What `reading` has found of some tables, and a session of `giving` takes: lists of objects, as JSON.

    The columns' hold values of rows.
    """

    tables: str
    columns: str = field(repr=False)
