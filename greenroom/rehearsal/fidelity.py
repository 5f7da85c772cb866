"""What a rehearsal's truth rests on: the server, its settings, the role; and where the copy is not the source."""

from __future__ import annotations

from greenroom.copies.acquiring import Acquired
from greenroom.postgres.server import ServerFacts
from greenroom.rehearsal.agent_process import Event
from greenroom.rehearsal.document import Difference, Fidelity
from greenroom.rehearsal.recorder import Recorder

BLIND = "the probes' sessions were ended during the migration: later stalls are derived from locks"


def fidelity(
    copy: Acquired, ready: Event, probed: list[str], recorder: Recorder, *, blind: bool, more: list[str]
) -> Fidelity:
    """The document's fidelity section; `blind`: the probes did not see the end. `more` are further notes."""
    here, source = copy.facts, copy.source_facts
    return Fidelity(
        server_version=here.version,
        timezone=here.timezone,
        extensions=dict(here.extensions),
        settings=dict(here.settings),
        source_server_version=source.version if source else None,
        differs=differences(copy),
        role=ready.get("role"),
        python=ready.get("python"),
        django=ready.get("django"),
        driver=ready.get("driver"),
        lock_timeout=ready.get("lock_timeout"),
        probed_tables=probed,
        refused=list(dict.fromkeys(recorder.refused)),
        notes=[*copy.notes, *more, *recorder.notes, *([BLIND] if blind else [])],
    )


def differences(copy: Acquired) -> list[Difference]:
    """Each fact that is not the same on the copy and on its source, where the source could be asked."""
    if copy.source_facts is None:
        return []
    here, there = _comparable(copy.facts), _comparable(copy.source_facts)
    return [
        Difference(setting=name, copy_value=here.get(name), source_value=there.get(name))
        for name in sorted(here.keys() | there.keys())
        if name in there and here.get(name) != there[name]
    ]


def _comparable(facts: ServerFacts) -> dict[str, str]:
    extensions = {f"extension {name}": version for name, version in facts.extensions.items()}
    return {"server_version": facts.version, **facts.settings, **extensions}
