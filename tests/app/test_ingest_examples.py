"""The ledger takes every kind of document that a rehearsal writes: the examples that the views are tested with."""

from __future__ import annotations

import pytest

from ledger.ingest import ingest
from tests.rehearsal.examples import ALL

pytestmark = pytest.mark.full


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(ALL))
def test_ingest_takes_what_a_rehearsal_writes(name: str) -> None:
    written = ALL[name]().to_json().encode()
    stored, created = ingest(written)
    again, twice = ingest(written)
    assert created and not twice
    assert stored.pk == again.pk
