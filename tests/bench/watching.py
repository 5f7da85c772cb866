"""What watching costs: the same migration on equal clones, watched and unwatched in turn."""

from __future__ import annotations

from tests.bench.figures import at_most, compare
from tests.bench.scene import scene

PAIRS = 11
STATEMENTS = 2000


def run() -> bool:
    """Print both costs; true when both are small enough."""
    return all([_of_a_long_migration(), _of_short_statements()])


def _of_a_long_migration() -> bool:
    with scene() as long:
        watched, unwatched = [], []
        for n in range(PAIRS):
            unwatched.append(long.unwatched(f"plain_{n}", "0002"))
            rehearsal = long.watched("0002_long")
            assert len(rehearsal.fidelity.probed_tables) == 8
            watched.append(rehearsal.totals.seconds)
        return compare("a migration of some seconds, 8 tables probed", watched, unwatched, 1.03)


def _of_short_statements() -> bool:
    with scene(already="0002") as many:
        extra = []
        for n in range(PAIRS):
            plain = many.unwatched(f"plain_{n}", "0003")
            extra.append((many.watched("0003_many").totals.seconds - plain) / STATEMENTS * 1000)
        return at_most("what watching adds to a short statement", extra, 0.5, "ms")
