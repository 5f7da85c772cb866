"""`./inv bench --suite NAME`: each suite prints ratios, with both figures of one run on one machine."""

from __future__ import annotations

import importlib
import sys

SUITES = {
    "watching": "what watching costs a migration with 8 probed tables",
    "startup": "`./inv --list` against bare Invoke with an empty tasks.py",
    "demo": "`./inv migrate-rehearse` on the demo",
    "drills": "what the drills cost on the demo",
    "clones": "clones of snapshots, and a second rehearsal of one dump",
    "copies": "a LOCAL copy against the plain script and pgcopydb, and a dump over SSH against OpenSSH",
    "detection": "who finds what: Greenroom and four linters on the catalogue's examples",
    "hazards": "the figures of docs/hazards.md, on the catalogue's examples",
    "prediction": "stalls that were rehearsed against those that a load on the source suffers",
    "ssm": "a start of the app that reads 60 parameters from SSM",
    "infra": "a plan of all of infra/terraform against the stand-in for AWS, and how long a release takes",
    "image": "the app's image: built again, its size, its start, and requests a second against bare gunicorn",
    "memory": "the watching process, and what the agent adds to the app",
}


def main(chosen: list[str]) -> int:
    unknown = [name for name in chosen if name not in SUITES]
    if unknown:
        print(f"no suite {unknown[0]}; there are: {', '.join(SUITES)}", file=sys.stderr)
        return 2
    reached = []
    for name in chosen or SUITES:
        print(f"## {name}: {SUITES[name]}", flush=True)
        reached.append(importlib.import_module(f"tests.bench.{name}").run())
    return 0 if all(reached) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
