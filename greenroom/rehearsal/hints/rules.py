"""What squawk's rules are about: the hazards that say the same once they are measured, and when a rule is silent.

Every rule that is not named here is shown as squawk says it.
"""

from __future__ import annotations

HAZARDS: dict[str, frozenset[str]] = {
    rule: frozenset(hazards.split())
    for rule, hazards in {
        "adding-field-with-default": "H20 H22",
        "adding-foreign-key-constraint": "H03 H13 H14 H15 H25 C05",
        "adding-not-nullable-field": "H17 C04",
        "adding-required-field": "H18 C04",
        "adding-serial-primary-key-field": "H08 H23 H33",
        "ban-alter-domain-with-add-constraint": "H34",
        "ban-char-field": "G04",
        "ban-concurrent-index-creation-in-transaction": "H05",
        "ban-drop-column": "H16 H48 C01 C11",
        "ban-drop-constraint": "H15 H16 H25",
        "ban-drop-default": "H19",
        "ban-drop-not-null": "C07",
        "ban-drop-table": "H16 H48 C02 C11",
        "ban-drop-view": "H48",
        "ban-truncate-cascade": "H40",
        "changing-column-type": "H24 H25 H26 H27 H28 H29 H47 C06",
        "constraint-missing-not-valid": "H10 H12 H13 H15 H25 H32 C05",
        "disallowed-unique-constraint": "H08 C05",
        "prefer-bigint-over-int": "G04",
        "prefer-bigint-over-smallint": "G04",
        "prefer-repack": "H30",
        "prefer-robust-stmts": "H06",
        "prefer-text-field": "G04",
        "prefer-timestamp-tz": "G04",
        "renaming-column": "H15 C03",
        "renaming-table": "H15 C03 C09",
        "require-concurrent-index-creation": "H01 H02 H03 H09",
        "require-concurrent-index-deletion": "H04 C08",
        "require-concurrent-partition-detach": "H37",
        "require-concurrent-reindex": "H07",
        "require-lock-timeout": "H44",
    }.items()
}

# Said of nearly every migration, or answered by measuring: shown where a finding says the same, and not alone.
NOT_ALONE: dict[str, str] = {
    "prefer-bigint-over-int": "the field's class is the model's; a key that is too small is measured",
    "prefer-bigint-over-smallint": "as prefer-bigint-over-int",
    "prefer-identity": "Django writes identity by itself; serial is what somebody wanted",
    "prefer-text-field": "to widen a varchar is free since PostgreSQL 9.2",
    "prefer-robust-stmts": "the crash drill tries it; IF NOT EXISTS would keep an invalid index",
    "require-lock-timeout": "squawk does not see the session's; whether a lock had a limit was measured",
    "require-statement-timeout": "the rehearsal says how long each takes; one that ends it half-way is no safety",
    "unused-ignore": "comments are not handed on",
}

# A statement of a table that nobody uses yet stops nobody: of those, only what is true of a column for ever.
OF_NEW_TABLES = frozenset(["ban-char-field", "prefer-timestamp-tz", "ban-create-domain-with-constraint"])

# Where the one is said of a statement, the other adds nothing: there is no UNIQUE or PRIMARY KEY that is NOT VALID.
SAID_BETTER = {"constraint-missing-not-valid": ("adding-serial-primary-key-field", "disallowed-unique-constraint")}
