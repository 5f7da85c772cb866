"""The published schema: fresh, and true of every document."""

from __future__ import annotations

import json

import jsonschema
import pytest

from greenroom.rehearsal import schema
from tests.rehearsal import examples

RELIED_ON = {
    "": "schema_version id created_at git image plan verdict source copy migrations stalls findings drills fidelity "
    "totals error",
    "Git": "commit branch dirty",
    "Plan": "fingerprint migrations",
    "Source": "kind",
    "Copy": "kind server_version seconds dropped",
    "MigrationRun": "app name seconds status statements",
    "Statement": "sql seconds locks rewrites scans",
    "Lock": "table mode held_ms",
    "Stall": "table read_ms write_ms derived",
    "Finding": "hazard severity table migration evidence advice",
    "Drill": "name status reason release",
    "Release": "name commit digest",
    "Totals": "seconds read_stall_ms write_stall_ms wal_bytes size_delta_bytes size_peak_bytes",
    "Fidelity": "server_version timezone extensions settings differs",
}


def test_schema_file_is_fresh() -> None:
    assert schema.PUBLISHED.read_text() == schema.text(), "refresh it: python -m greenroom.rehearsal.schema"


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.schema())
    assert schema.schema()["$id"] == "urn:greenroom:rehearsal:1"


@pytest.mark.parametrize("name", [name for name in examples.ALL if name != "monster"])  # of the same shape, and slow
def test_schema_holds_for_document(name: str) -> None:
    document = json.loads(examples.ALL[name]().to_json())
    jsonschema.validate(document, schema.schema(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("part", RELIED_ON)
def test_schema_requires_what_others_rely_on(part: str) -> None:
    described = schema.schema()
    required = (described["$defs"][part] if part else described)["required"]
    assert set(RELIED_ON[part].split()) <= set(required)


def test_schema_refuses_an_unknown_key() -> None:
    document = json.loads(examples.passed().to_json()) | {"surprise": 1}
    with pytest.raises(jsonschema.ValidationError, match="'surprise' was unexpected"):
        jsonschema.validate(document, schema.schema(), cls=jsonschema.Draft202012Validator)
