"""Leaves of botocore's data what the app needs: run at the image's build, by the interpreter that has botocore.

Of AWS's services the app knows SSM, of which it calls one operation, and STS for its credentials. The models of the
others are most of botocore's size, and reading all of SSM and every service's endpoints is a third of what it costs to
load. What is left is botocore's own, word for word.
"""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import botocore

OPERATIONS: dict[str, set[str] | None] = {"ssm": {"GetParametersByPath"}, "sts": None}  # None: all of them


def trim(data: Path) -> None:
    """The directory `data` of botocore, in place."""
    for service in data.iterdir():
        if service.is_dir() and service.name not in OPERATIONS:
            shutil.rmtree(service)
    for name, operations in OPERATIONS.items():
        for path in data.glob(f"{name}/*/service-2.json.gz") if operations else ():
            model = json.loads(gzip.decompress(path.read_bytes()))
            path.write_bytes(gzip.compress(json.dumps(only(model, operations or set())).encode(), mtime=0))
    endpoints = data / "endpoints.json"
    endpoints.write_text(json.dumps(of_services(json.loads(endpoints.read_text()), set(OPERATIONS))))


def only(model: dict[str, Any], operations: set[str]) -> dict[str, Any]:
    """A service's model with these operations alone, and the shapes that they lead to. Raises KeyError for others."""
    kept = {name: model["operations"][name] for name in sorted(operations)}
    shapes: dict[str, Any] = {}
    ahead = list(referred(kept))
    while ahead:
        name = ahead.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            ahead += referred(shapes[name])
    return {**model, "operations": kept, "shapes": shapes}


def referred(part: Any) -> list[str]:
    """The shapes that a part of a model names."""
    if isinstance(part, list):
        return [name for inner in part for name in referred(inner)]
    if not isinstance(part, dict):
        return []
    own = [part["shape"]] if isinstance(part.get("shape"), str) else []
    return own + [name for inner in part.values() for name in referred(inner)]


def of_services(endpoints: dict[str, Any], services: set[str]) -> dict[str, Any]:
    """The endpoints of these services, in every partition."""
    partitions = [
        {**partition, "services": {name: told for name, told in partition["services"].items() if name in services}}
        for partition in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}


if __name__ == "__main__":
    trim(Path(botocore.__path__[0]) / "data")
