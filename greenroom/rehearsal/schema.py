"""The published JSON Schema of the rehearsal document: `greenroom/rehearsal/rehearsal.schema.json`.

`python -m greenroom.rehearsal.schema` writes it anew after a change of `document/`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from greenroom.rehearsal.document import SCHEMA_VERSION, Rehearsal

PUBLISHED = Path(__file__).with_name("rehearsal.schema.json")


class _EveryKeyRequired(GenerateJsonSchema):
    """`to_json` leaves out no key, whatever its default."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        return True


def schema() -> dict[str, Any]:
    """The schema of what `to_json` writes: every key is there, so every key is required."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:greenroom:rehearsal:{SCHEMA_VERSION}",
        "version": SCHEMA_VERSION,
    }
    described = Rehearsal.model_json_schema(by_alias=True, mode="serialization", schema_generator=_EveryKeyRequired)
    return {**head, **described, "title": "Greenroom rehearsal"}


def text() -> str:
    """The schema as it lies in the file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PUBLISHED.write_text(text(), encoding="utf-8")
