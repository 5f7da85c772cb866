"""What watching costs: the same migration on equal clones, watched and unwatched in turn."""

from __future__ import annotations

from tests.bench.figures import at_most, compare
from tests.bench.scene import scene

PAIRS = 7
STATEMENTS = 2000


def run() -> None:
    with scene() as long:
        watched, unwatched = [], []
        for n in range(PAIRS):
            unwatched.append(long.unwatched(f"plain_{n}", "0002"))
            rehearsal = long.watched("0002_long")
            assert len(rehearsal.fidelity.probed_tables) == 8
            watched.append(rehearsal.totals.seconds)
        compare("a migration of some seconds, 8 tables probed", watched, unwatched, 1.03)
    with scene(already="0002") as many:
        extra = []
        for n in range(PAIRS):
            plain = many.unwatched(f"plain_{n}", "0003")
            extra.append((many.watched("0003_many").totals.seconds - plain) / STATEMENTS * 1000)
        at_most("what watching adds to a short statement", extra, 0.5, "ms")
