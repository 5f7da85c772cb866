"""Which findings get a safe twin."""

from __future__ import annotations

from greenroom.rehearsal.observations import Relation
from greenroom.rehearsal.twins.wanted import nothing, wanted
from tests.rehearsal.test_hints import found

PARTITIONED = {"shop_order": Relation(rows=10, size_bytes=10, partitions=("a", "b"))}


def test_index_of_a_partitioned_table_has_no_mechanical_twin() -> None:
    finding = found("H01").model_copy(update={"severity": "failure"})
    [plain] = wanted([finding], {"shop_order": Relation(rows=10, size_bytes=10)})
    [one] = wanted([finding], PARTITIONED)
    assert plain.operations == {0: ["H01"]}
    assert one.operations == {}
    assert nothing(one).reason == (
        "H01: CONCURRENTLY is refused on a partitioned table (shop_order); the advice says what to do in its place."
    )


def test_not_null_of_a_partitioned_table_has_one() -> None:
    [one] = wanted([found("H17").model_copy(update={"severity": "failure"})], PARTITIONED)
    assert one.operations == {0: ["H17"]}
