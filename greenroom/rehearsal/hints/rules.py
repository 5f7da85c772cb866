"""What squawk's rules are about: the hazards that say the same of it, measured, and when a rule is silent.

A hazard of the same statement that says another thing is not here: that a column's drop breaks clients is C01, not the
locks that it takes. A rule that is not here is shown as squawk says it.
"""

from __future__ import annotations

HAZARDS: dict[str, frozenset[str]] = {
    rule: frozenset(hazards.split())
    for rule, hazards in {
        "adding-field-with-default": "H20 H22 H23",
        "adding-foreign-key-constraint": "H03 H13 H14 H15 H25",
        "adding-not-nullable-field": "H17",
        "adding-required-field": "H18 C04",
        "adding-serial-primary-key-field": "H08 H23 H33",
        "ban-alter-domain-with-add-constraint": "H34",
        "ban-char-field": "G04",
        "ban-concurrent-index-creation-in-transaction": "H05",
        "ban-drop-column": "C01",
        "ban-drop-constraint": "H15 H16 H25",
        "ban-drop-default": "H19",
        "ban-drop-not-null": "C07",
        "ban-drop-table": "C02",
        "ban-drop-view": "H48",
        "ban-truncate-cascade": "H40",
        "changing-column-type": "H24 H25 H26 H27 H28 H29 H47 H48 C06",
        "constraint-missing-not-valid": "H10 H12 H13 H15 H25 H32",
        "disallowed-unique-constraint": "H08 H21",
        "prefer-bigint-over-int": "G04",
        "prefer-bigint-over-smallint": "G04",
        "prefer-repack": "H30",
        "prefer-robust-stmts": "H06",
        "prefer-timestamp-tz": "G04",
        "renaming-column": "C03",
        "renaming-table": "C03",
        "require-concurrent-index-creation": "H01 H02 H03 H09",
        "require-concurrent-index-deletion": "H04",
        "require-concurrent-partition-detach": "H37",
        "require-concurrent-reindex": "H07",
        "require-lock-timeout": "H44",
    }.items()
}

# Said of nearly every migration, or answered by measuring: shown where a finding says the same, and not alone.
NOT_ALONE: dict[str, str] = {
    "ban-drop-default": "Django drops the default of a column that it adds; where that does harm, it is found",
    "prefer-bigint-over-int": "the field's class is the model's; a key that is too small is measured",
    "prefer-bigint-over-smallint": "as prefer-bigint-over-int",
    "prefer-identity": "Django writes identity by itself; serial is what somebody wanted",
    "prefer-text-field": "to widen a varchar is free since PostgreSQL 9.2",
    "prefer-robust-stmts": "the crash drill tries it; IF NOT EXISTS would keep an invalid index",
    "require-lock-timeout": "squawk does not see the session's; whether a lock had a limit was measured",
    "require-statement-timeout": "the rehearsal says how long each takes; one that ends it half-way is no safety",
}

# What is advised in vain for a partitioned table, and what there is instead.
_BY_PARTITION = "the server refuses CONCURRENTLY on it, so each partition gets its own index first"
ON_PARTITIONED = {
    "require-concurrent-index-creation": _BY_PARTITION,
    "disallowed-unique-constraint": _BY_PARTITION,
    "require-concurrent-index-deletion": "the server refuses CONCURRENTLY on it, so a lock_timeout is all there is",
    "adding-foreign-key-constraint": "before PostgreSQL 18 NOT VALID is refused for it, though not for a partition",
}

# A statement of a table that nobody uses yet stops nobody: of those, only what is true of a column for ever.
OF_NEW_TABLES = frozenset(["ban-char-field", "prefer-timestamp-tz", "ban-create-domain-with-constraint"])

# Where the one is said of a statement, the other adds nothing: there is no UNIQUE or PRIMARY KEY that is NOT VALID.
SAID_BETTER = {"constraint-missing-not-valid": ("adding-serial-primary-key-field", "disallowed-unique-constraint")}
