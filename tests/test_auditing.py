from __future__ import annotations

import pytest

from greenroom.auditing import told
from greenroom.errors import ANSWER_IS_NO, COULD_NOT_RUN, DONE
from greenroom.tasks.checks import scanned_code

PINS = "requirements/app.txt"
SOUND = {"name": "django", "version": "5.2.19", "vulns": []}
WEAK = {"name": "urllib3", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"]}]}
UNKNOWN = {"name": "six", "skip_reason": "Dependency not found on PyPI and could not be audited: six (1.17.0)"}


def test_told_of_sound_packages() -> None:
    found = told(PINS, [SOUND])
    assert (found.told, found.weaknesses) == ("ok    pip-audit requirements/app.txt: 1 packages, no known weakness", ())


def test_told_of_a_weakness_and_what_mends_it() -> None:
    found = told(PINS, [SOUND, WEAK])
    assert found.told == "FAIL  requirements/app.txt: urllib3 1.0: PYSEC-1, mended in 1.1, 2.0"


def test_told_that_it_was_not_held_where_nobody_answers() -> None:
    found = told(PINS, [SOUND, UNKNOWN])
    assert found.told.startswith(f"NOT HELD  pip-audit {PINS}: nothing could be learnt of 1 of 2 packages.")
    assert found.weaknesses == ()


@pytest.mark.parametrize(
    ("sound", "held", "code"),
    [
        (True, True, DONE),
        (True, False, COULD_NOT_RUN),
        (False, True, ANSWER_IS_NO),
        (False, False, ANSWER_IS_NO),
    ],
)
def test_code_of_a_scan(sound: bool, held: bool, code: int) -> None:
    assert scanned_code(sound, held=held) == code
