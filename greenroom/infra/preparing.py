"""`terraform init`, where it is needed.

What it makes depends on files alone; as long as these are the same, it is left out: it asks the registry and the
bucket, and takes the checksum of a provider of 700 MB.
"""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

from greenroom.console import Progress
from greenroom.infra import terraform
from greenroom.infra.refusals import complete
from greenroom.infra.stack import Stack

STAMP = "prepared"  # in Terraform's own directory, and gone with it
LOCK = ".terraform.lock.hcl"


def prepare(stack: Stack, progress: Progress) -> None:
    """Terraform's provider, and the way to its state. Raises GreenroomError."""
    stamp = stack.work / STAMP
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == _sum(stack):
        return
    terraform.refuse_missing()
    stack.work.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    progress.step(f"terraform init: the state in {stack.bucket}")
    words = ["init", "-json", "-input=false", "-reconfigure", f"-backend-config={stack.backend}"]
    complete(stack, "prepare itself", words, progress, lambda _message: None)
    stamp.write_text(_sum(stack), encoding="utf-8")


def _sum(stack: Stack) -> str:
    """Of all that it depends on."""
    found = sha256(f"{_program()}\n{stack.endpoint}\n{stack.environment.profile}\n".encode())
    for file in [*sorted(stack.module.glob("*.tf")), stack.backend, stack.module / LOCK]:
        found.update(_content(file))
    return found.hexdigest()


def _program() -> str:
    """Which Terraform it is, without starting it; nothing like it where there is none."""
    path = shutil.which(terraform.PROGRAM)
    facts = Path(path).stat() if path else None
    return f"{path} {facts.st_size} {facts.st_mtime_ns}" if facts else ""


def _content(file: Path) -> bytes:
    return file.name.encode() + b"\0" + (file.read_bytes() if file.is_file() else b"")
