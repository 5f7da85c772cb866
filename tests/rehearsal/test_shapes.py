"""What migrations left in the catalogue: new invalid indexes, and columns that the release before does not fill."""

from __future__ import annotations

import pytest

from greenroom.rehearsal.document import Left, LeftColumn, LeftIndex
from greenroom.rehearsal.observations import Column, Shape
from greenroom.rehearsal.shapes import left, named

REQUIRED = Column(2, "integer", nullable=False)


def columns(**found: Column) -> dict[str, Shape]:
    return {"t": Shape({"id": Column(1, "bigint", nullable=False, filled=True), **found})}


@pytest.mark.parametrize(
    ("before", "after", "required"),
    [
        ({}, {"a": REQUIRED}, ["a"]),
        ({}, {"a": Column(2, "integer")}, []),
        ({}, {"a": Column(2, "integer", nullable=False, filled=True)}, []),
        ({"a": REQUIRED}, {"a": REQUIRED}, []),
        ({"a": Column(2, "integer", nullable=False, filled=True)}, {"a": REQUIRED}, ["a"]),  # its default was dropped
        ({"a": Column(2, "integer")}, {"a": REQUIRED}, []),  # known: the release before gives it what it has
        ({"a": REQUIRED}, {"b": REQUIRED}, []),  # renamed
        ({"a": REQUIRED}, {"a": Column(3, "bigint", nullable=False)}, []),  # another, under a name that is known
    ],
)
def test_columns_that_the_release_before_does_not_fill(
    before: dict[str, Column], after: dict[str, Column], required: list[str]
) -> None:
    found = left(columns(**before), columns(**after))
    assert found == Left(required_columns=[LeftColumn(table="t", column=name) for name in required])


def test_invalid_indexes_are_those_that_were_not_there_before() -> None:
    before = {"t": Shape(invalid_indexes=["old"]), "gone": Shape()}
    after = {"t": Shape(invalid_indexes=["new", "old"]), "made": Shape(invalid_indexes=["other"])}
    assert left(before, after) == Left(invalid_indexes=[LeftIndex(table="t", index="new")])


def test_table_keeps_the_name_that_it_had() -> None:
    shape = Shape()
    assert named({1: ("renamed", shape), 2: ("new", shape)}, {1: ("old", shape)}) == {"old": shape, "new": shape}
