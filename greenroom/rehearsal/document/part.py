"""What every part of the document is, and its small words."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

VerdictName = Literal["pass", "warn", "fail"]


Severity = Literal["note", "warning", "failure"]


class Part(BaseModel):
    """A part of the document: unknown keys are an error, so that a typing mistake cannot pass for a fact."""

    model_config = ConfigDict(extra="forbid")


DrillName = Literal["back", "old-release", "lock-queue", "crash"]
