"""What is known of the copy's tables and indexes."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Set, Tuple

RELATIONS = """
    SELECT c.oid, c.relkind::text, n.nspname || '.' || c.relname, COALESCE(i.indrelid, c.oid), c.reltuples::bigint,
           pg_catalog.pg_relation_filenode(c.oid)::bigint, c.relpersistence::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
    WHERE c.relkind IN ('r', 'p', 'm', 'i') AND c.oid >= 16384 AND n.nspname <> 'pg_toast'"""


class Relations:
    """What is known of the copy's tables and indexes, by oid: names change under a migration, oids do not."""

    def __init__(self, query: Callable[[str], List[Any]]) -> None:
        self._query = query
        self.rows: Dict[int, Tuple[str, str, int, int]] = {}  # oid -> kind, schema.table, its table's oid, rows
        self.filenodes: Dict[int, int] = {}
        self.learn(query(RELATIONS))
        self._first = frozenset(self.rows)
        self.stale: Set[int] = set()

    def learn(self, found: Iterable[Any]) -> None:
        for oid, kind, name, table, rows, filenode, persistence in found:
            self.rows[oid] = ("" if persistence == "t" else kind, name, table, rows)
            if filenode:
                self.filenodes.setdefault(oid, filenode)

    def look_up(self, oids: Set[int]) -> None:
        """Ask about what was created or renamed since. What is gone again stays as it was, or is of no kind."""
        oids = self.stale | (oids - self.rows.keys())
        if oids:
            self.learn(self._query(RELATIONS + " AND c.oid = ANY('{%s}')" % ",".join(map(str, oids))))
            for oid in oids:
                self.rows.setdefault(oid, ("", "", oid, -1))
            self.stale = set()

    def is_table(self, oid: int) -> bool:
        return self.rows[oid][0] in ("r", "p", "m")

    def is_index(self, oid: int) -> bool:
        return self.rows[oid][0] == "i"

    def table_of(self, oid: int) -> int:
        return self.rows[oid][2]

    def named(self, oid: int) -> Dict[str, Any]:
        return {"oid": oid, "table": self.rows[oid][1], "new": oid not in self._first}

    def facts(self, oid: int) -> Dict[str, Any]:
        rows = self.rows[oid][3]
        return {**self.named(oid), "rows": rows if rows >= 0 else None}
