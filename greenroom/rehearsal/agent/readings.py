"""What statements leave behind in their transaction: locks, new files, scans, WAL."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

from .relations import RELATIONS, Relations
from .session import Session
from .statements import Statement

# One reading after each statement: the locks of this very session, with what tells rewrites and scans. Catalogue
# relations (below 16384) are left out. The other catalogues are asked only about what is not known yet: they cost more.
READING = """
    SELECT relation, mode, pg_catalog.pg_relation_filenode(relation)::bigint,
           pg_catalog.pg_stat_get_xact_numscans(relation)
    FROM pg_catalog.pg_locks
    WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND granted AND relation >= 16384"""
READING_WAL = " UNION ALL SELECT 0, '', (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint, 0"
SCANNED = """
    SELECT oid, pg_catalog.pg_stat_get_xact_numscans(oid) FROM pg_catalog.pg_class
    WHERE relkind IN ('r', 'p', 'm', 'i') AND oid >= 16384 AND pg_catalog.pg_stat_get_xact_numscans(oid) > 0"""


class Readings:
    """What each statement did, by what is new since the reading before it. Nothing is read before `begin_anew`."""

    def __init__(self, session: Session, wal: bool) -> None:
        self._session = session
        self._reading = READING + (READING_WAL if wal else "")
        self._relations = Relations(session.query)

    def begin_anew(self) -> None:
        """On another connection, where the server's counters begin anew."""
        self._scans: Dict[int, int] = {}  # the server's counters as last read; only in a transaction do they not fall
        self.unsure = True  # something may have been scanned that nobody has read the counters of
        self._forget()
        self._take()

    def _forget(self) -> None:
        self._held: Set[Tuple[int, str]] = set()
        self._moved: Dict[int, int] = {}
        self._renamed: Set[int] = set()

    def begin(self) -> None:
        """Before a transaction's first statement: what the scan counters stand at, unless they are known to be zero."""
        old = [str(oid) for oid, count in self._scans.items() if count and self._relations.is_table(oid)]
        if self.unsure:
            self._scans = dict(self._session.query(SCANNED))
            self.unsure = False
        elif old:
            self._scans = dict(self._session.query(SCANNED + " AND oid = ANY('{%s}')" % ",".join(old)))

    def count_scans(self) -> None:
        """Now, and of indexes too: before a statement that may read whole tables through them."""
        self._scans.update(self._session.query(SCANNED))

    def read(self, statement: Optional[Statement]) -> Dict[str, Any]:
        """What is new since the previous reading of this transaction."""
        lsn = self._lsn
        before = self._held
        counts, filenodes = self._take()
        known = self._relations
        known.look_up(set(filenodes))
        moved = {oid for oid, filenode in filenodes.items() if filenode and self._filenode(oid) not in (None, filenode)}
        self._moved.update((oid, filenode) for oid, filenode in filenodes.items() if filenode)
        facts = {
            "locks": self._locks(self._held - before),
            "rewrites": self._rewrites(moved),
            "scans": self._scanned(counts, statement is not None and statement.reads_by_index),
            "wal_bytes": None if lsn is None or self._lsn is None else self._lsn - lsn,
        }
        if statement is not None and statement.renames:
            self._renamed |= filenodes.keys()
            known.stale |= filenodes.keys()
        return facts

    def compare_catalogue(self) -> List[Dict[str, Any]]:
        """Rewrites by a statement whose locks are gone with it, found among all relations."""
        known = self._relations
        before = {row[1]: oid for oid, row in known.rows.items() if row[0] == "i"}
        found = self._session.query(RELATIONS)
        moved = {row[0] for row in found if row[5] and known.filenodes.get(row[0], row[5]) != row[5]}
        swapped = {row[0] for row in found if before.get(row[2], row[0]) != row[0]}  # REINDEX CONCURRENTLY
        known.learn(found)
        known.filenodes.update((row[0], row[5]) for row in found if row[5])
        return self._rewrites(moved | swapped)

    def roll_back_to_savepoint(self) -> List[Dict[str, Any]]:
        """The locks that were given back. The files are the old ones again; the scan counters stay."""
        before = self._held
        _, filenodes = self._take()
        self._moved = {oid: filenode for oid, filenode in filenodes.items() if filenode}
        self.count_scans()
        self._relations.stale |= self._renamed
        return self._locks(before - self._held)

    def end(self, outcome: str) -> None:
        """The transaction is over: by a commit its files are the relations' own, else their names are the old ones."""
        if outcome == "commit":
            self._relations.filenodes.update(self._moved)
        else:
            self._relations.stale |= self._renamed
        self._forget()

    def _take(self) -> Tuple[Dict[int, int], Dict[int, Optional[int]]]:
        rows = self._session.read(self._reading)
        self._held = {(oid, mode) for oid, mode, _, _ in rows if oid}
        self._lsn = next((place for oid, _, place, _ in rows if not oid), None)
        return {row[0]: row[3] for row in rows if row[0]}, {row[0]: row[2] for row in rows if row[0]}

    def _filenode(self, oid: int) -> Optional[int]:
        return self._moved.get(oid, self._relations.filenodes.get(oid))

    def _locks(self, held: Iterable[Tuple[int, str]]) -> List[Dict[str, Any]]:
        found = [
            (oid, mode) for oid, mode in sorted(held) if mode != "AccessShareLock" and self._relations.is_table(oid)
        ]
        return [{**self._relations.named(oid), "mode": mode} for oid, mode in found]

    def _scanned(self, counts: Dict[int, int], through_indexes: bool) -> List[Dict[str, Any]]:
        """Sequential scans of tables; for DDL also of indexes: the validation of a foreign key may choose them."""
        found: Dict[int, int] = {}
        for oid, count in counts.items():
            more = count - self._scans.get(oid, 0)
            if self._relations.is_table(oid):
                self._scans[oid] = count
                if more > 0:
                    found[oid] = more
            elif through_indexes and more > 0 and self._relations.is_index(oid):
                found.setdefault(self._relations.table_of(oid), 1)
        self._relations.look_up(set(found))
        return [{**self._relations.facts(oid), "scans": scans} for oid, scans in sorted(found.items())]

    def _rewrites(self, moved: Iterable[int]) -> List[Dict[str, Any]]:
        """Relations with a new file, put together by table."""
        known = self._relations
        tables: Dict[int, List[int]] = defaultdict(list)
        for oid in sorted(moved):
            if known.is_table(oid) or known.is_index(oid):
                tables[known.table_of(oid)].append(oid)
        found = []
        known.look_up(set(tables))
        for table, oids in tables.items():
            measured = [table] if table in oids else oids
            sizes = "+".join("pg_catalog.pg_total_relation_size(%s)" % oid for oid in measured)
            size = self._session.query("SELECT " + sizes)
            indexes = [known.rows[oid][1].partition(".")[2] for oid in oids if oid != table]
            only = {"indexes": indexes, "only_indexes": table not in oids, "size_bytes": size[0][0]}
            found.append({**known.facts(table), **only})
        return found
