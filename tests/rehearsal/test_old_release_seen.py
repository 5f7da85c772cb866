"""What the running release could do before and after: nothing is mixed between tries, models or tables."""

from __future__ import annotations

from typing import Any

import pytest

from greenroom.rehearsal.drills.old_release.exercise import Try
from greenroom.rehearsal.drills.old_release.seen import Seen


def tried(model: str, table: str, action: str = "insert", **facts: Any) -> Try:
    return Try(model=model, table=table, place=facts.pop("place", table), action=action, **facts)


def refused(model: str, table: str, at: str, **facts: Any) -> Try:
    return tried(model, table, exception="IntegrityError", sqlstate="23502", at=at, column="rank", **facts)


def test_each_try_keeps_its_own_columns_and_those_of_its_parents() -> None:
    own = {"columns": ("stars",), "inherited": {"app.place": ("name",)}}
    before = [tried("a.Inn", "app.inn", "read", **own), tried("a.Inn", "app.inn", "content type")]
    gone = {"place": "inn", "exception": "ProgrammingError", "sqlstate": "42P01"}
    after = [
        tried("a.Inn", "inn", "read", columns=("stars",), inherited={"place": ("name",)}, **gone),
        tried("a.Inn", "inn", "content type", place="inn"),
    ]
    read, content_type = Seen(before, after).after
    assert (read.table, read.columns, read.inherited) == ("app.inn", ("stars",), {"app.place": ("name",)})
    assert (content_type.table, content_type.columns, content_type.inherited) == ("app.inn", (), {})


def test_tables_of_one_name_in_two_schemas_are_two() -> None:
    """The guide needs a row of other.place, which refuses it; that public.place does so too is another matter."""
    models = [("a.Place", "place"), ("a.Guide", "guide")]
    before = [tried(model, table) for model, table in models]
    after = [refused("a.Place", "place", "place"), refused("a.Guide", "guide", "other.place")]
    assert [one.model for one in Seen(before, after).blamed] == ["a.Place", "a.Guide"]


def test_table_that_has_moved_to_another_schema_is_still_the_models_own() -> None:
    seen = Seen([tried("a.Place", "place")], [refused("a.Place", "place", "app.place", place="app.place")])
    assert seen.elsewhere("a.Place") == {} and [one.elsewhere for one in seen.blamed] == [None]


@pytest.mark.parametrize("first", ["x.Board", "z.Board"])  # models come in their apps' order
def test_table_of_several_models_is_that_of_the_parent(first: str) -> None:
    tables = [
        tried(first, "place", columns=("id",), managed=False),
        tried("y.Place", "place", columns=("id", "rank")),
    ]
    inn = refused("y.Inn", "inn", "place", columns=("stars",), inherited={"place": ("id", "rank")})
    seen = Seen([], [*sorted(tables, key=lambda one: one.model), inn])
    assert seen.owner(inn).model == "y.Place"
    needing = refused("y.Guide", "guide", "place", columns=("place_id",))
    assert seen.owner(needing).model == "y.Place"  # a managed one before others
    assert [seen.of_table("place", one).model for one in tables] == [first, "y.Place"]
