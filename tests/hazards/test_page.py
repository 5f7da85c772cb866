"""docs/hazards.md says what the catalogue and the examples say today."""

from __future__ import annotations

from greenroom.rehearsal.hazards import CATALOGUE
from tests.hazards import page


def test_page_is_fresh() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(page.read_figures()), "python -m tests.hazards.page"


def test_every_row_was_measured() -> None:
    assert sorted(page.read_figures()) == sorted(CATALOGUE)
