"""The safe twin's code, filled with names: what is quoted apart, and what is one name."""

from __future__ import annotations

import pytest

from greenroom.rehearsal.hazards.wording import filled

CODE = """'CREATE UNIQUE INDEX CONCURRENTLY "${table}_key" ON "$table" ($columns)',
'DROP INDEX CONCURRENTLY "${table}_key"'"""


@pytest.mark.parametrize(
    ("table", "statement", "index", "quoted", "dropped"),
    [
        ("shop_item", "", '"shop_item_key"', '"shop_item"', '"shop_item_key"'),
        ("other.item", 'ALTER TABLE "other"."item" ...', '"item_key"', '"other"."item"', '"other"."item_key"'),
        ("Weird.Name", 'ALTER TABLE "Weird.Name" ...', '"Weird.Name_key"', '"Weird.Name"', '"Weird.Name_key"'),
    ],
)
def test_schema_and_table_are_quoted_apart(table: str, statement: str, index: str, quoted: str, dropped: str) -> None:
    assert filled(CODE, {"table": table, "columns": '"a"'}, [statement]) == (
        f"""'CREATE UNIQUE INDEX CONCURRENTLY {index} ON {quoted} ("a")',\n'DROP INDEX CONCURRENTLY {dropped}'"""
    )


def test_new_name_of_a_table_has_no_schema() -> None:
    code = 'ALTER TABLE "$old_table" RENAME TO "$parent_table"; COMMENT ON COLUMN "$table"."$column"; $unknown'
    facts = {"old_table": "a.old", "parent_table": "a.new", "table": "a.t", "column": "c"}
    assert filled(code, facts) == 'ALTER TABLE "a"."old" RENAME TO "new"; COMMENT ON COLUMN "a"."t"."c"; $unknown'
