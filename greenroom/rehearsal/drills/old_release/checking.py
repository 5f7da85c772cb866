"""The release's own smoke tests, on the new schema."""

from __future__ import annotations

import json
import os
import shlex
import time
from pathlib import Path

from greenroom import shell
from greenroom.copies.acquiring import Acquired
from greenroom.copies.project import environment_of
from greenroom.postgres import variables
from greenroom.rehearsal.document import DrillStep
from greenroom.rehearsal.drills.old_release.base import Base
from greenroom.rehearsal.drills.stage import Stage

LONGEST = 1800.0  # seconds


def checked(stage: Stage, base: Base, clone: Acquired) -> list[DrillStep]:
    """`--base-check COMMAND`, run in the release's directory with its interpreter in front of PATH; none without it.

    The project has to take its database from the environment, or the command would meet another one.
    """
    command = stage.request.base_check
    if not command:
        return []
    if base.image:
        return [DrillStep(what=f"check: {command}", status="note", detail="not run: --base-check needs --base REF")]
    told = environment_of(base.project, clone.address, tls=clone.facts.tls)
    if not told:
        reason = "not run: the project is not told its database by variables (tool.greenroom.project)"
        return [DrillStep(what=f"check: {command}", status="note", detail=reason)]
    began = time.monotonic()
    done = shell.run(
        shlex.split(command),
        cwd=base.project.directory,
        env={**variables.for_others(own_server=clone.own_server), **_environment(base), **told},
        check=False,
        timeout=LONGEST,
    )
    return [
        DrillStep(
            what=f"check: {command}",
            status="passed" if done.code == 0 else "failed",
            detail=f"exit code {done.code}",
            seconds=round(time.monotonic() - began, 3),
        )
    ]


def _environment(base: Base) -> dict[str, str]:
    settings = {"DJANGO_SETTINGS_MODULE": base.project.settings} if base.project.settings else {}
    programs = Path(base.project.python or "python").parent
    paths = {"PYTHONPATH": os.pathsep.join(_in_front(base)), "PATH": f"{programs}:{shell.variable('PATH') or ''}"}
    return {**base.project.environment, **settings, **paths}


def _in_front(base: Base) -> list[str]:
    """Directories of the worktree whose like in the checkout the interpreter knows, as from an editable install."""
    if not base.origin:
        return []
    asked: list[str | Path] = [base.project.python or "python", "-c", "import json, sys; print(json.dumps(sys.path))"]
    done = shell.run(asked, cwd=base.project.directory, env=base.project.environment, check=False)
    known = [Path(path).resolve() for path in json.loads(done.stdout) if path] if done.code == 0 else []
    checkout, tree = (Path(base.origin[key]).resolve() for key in ("checkout", "tree"))
    like = [tree / path.relative_to(checkout) for path in known if path.is_relative_to(checkout)]
    src = base.project.directory / "src"
    return [str(path) for path in dict.fromkeys([*like, src]) if path.is_dir()]
