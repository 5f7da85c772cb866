"""What each pair of sessions moves: big tables by themselves, small ones together, and none twice."""

from __future__ import annotations

from greenroom.postgres.copying.pool import SHARED_BYTES, SHARED_TABLES, loads
from greenroom.postgres.copying.tables import Table
from greenroom.postgres.restoring import jobs

BIG = 1000


def tables(*sizes: int) -> list[Table]:
    return [Table(number, "public", f"t{number}", size, ("id",), True) for number, size in enumerate(sizes)]


def test_big_tables_go_by_themselves_and_small_ones_share() -> None:
    made = loads(tables(5000, 1000, 999, 500, 20, 10, 1), BIG)
    assert [[table.bytes for table in load.tables] for load in made if load.bytes >= 5000] == [[5000]]
    assert [[table.bytes for table in load.tables] for load in made if load.tables[0].bytes == 1000] == [[1000]]
    assert len(made) == 2 + min(jobs(), 5)
    assert sorted(table.oid for load in made for table in load.tables) == list(range(7))


def test_loads_are_in_order_of_their_size() -> None:
    sizes = [load.bytes for load in loads(tables(*range(3000, 0, -7)), BIG)]
    assert sizes == sorted(sizes, reverse=True)


def test_no_load_is_too_large_for_an_argv_or_for_the_others() -> None:
    many = loads(tables(*[1] * (SHARED_TABLES * 5)), BIG)
    assert max(len(load.tables) for load in many) <= SHARED_TABLES
    large = loads(tables(*[SHARED_BYTES // 10] * 100), SHARED_BYTES)
    assert max(load.bytes for load in large) <= SHARED_BYTES


def test_small_tables_are_shared_out_by_their_bytes() -> None:
    sizes = [900 // number for number in range(1, 90)]
    shares = [load.bytes for load in loads(tables(*sizes), BIG)]
    assert max(shares) - min(shares) <= min(sizes)
    uneven = loads(tables(900, *[1] * (SHARED_TABLES + 50)), BIG)
    assert max(len(load.tables) for load in uneven) <= SHARED_TABLES


def test_nothing_to_move_is_no_load() -> None:
    assert loads([], BIG) == []
