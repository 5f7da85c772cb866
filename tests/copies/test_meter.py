"""Bytes, rate and time left, as people read them."""

from __future__ import annotations

import pytest

from greenroom.console import Display
from greenroom.copies.meter import Meter, duration, size


class Clock(Display):
    """The details that were told; its time goes on only when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.details = 100.0, list[str]()
        monkeypatch.setattr("time.monotonic", lambda: self.now)

    def detail(self, text: str) -> None:
        self.details.append(text)


def test_meter_of_a_known_total_tells_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    meter = Meter(clock, 400_000_000)
    clock.now = 102
    meter.tell(20_000_000)
    clock.now = 110
    meter.tell(100_000_000)
    clock.now = 112
    meter.tell(400_000_000)
    assert clock.details == [
        "20.0 MB of 400.0 MB · 10.0 MB/s · 38 s left",
        "100.0 MB of 400.0 MB · 10.0 MB/s · 30 s left",
        "400.0 MB of 400.0 MB · 10.0 MB/s · 0 s left",
    ]


def test_meter_of_an_unknown_total_tells_time_left_by_the_share(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    meter = Meter(clock)
    clock.now = 110
    meter.tell(50_000_000, 0.0)
    meter.tell(50_000_000, 0.25)
    meter.tell(50_000_000, 0.005)  # too little to reckon with
    assert clock.details == ["50.0 MB · 5.0 MB/s", "50.0 MB · 5.0 MB/s · 30 s left", "50.0 MB · 5.0 MB/s"]


def test_meter_follows_a_rate_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    meter = Meter(clock)
    clock.now = 106
    meter.tell(60_000_000)
    clock.now = 112
    meter.tell(66_000_000)
    assert clock.details == ["60.0 MB · 10.0 MB/s", "66.0 MB · 1.0 MB/s"]


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (812_300_000, "812.3 MB"), (2.5e12, "2500.0 GB")]
)
def test_size_is_in_powers_of_ten(number: float, told: str) -> None:
    assert size(number) == told


@pytest.mark.parametrize(("seconds", "told"), [(40, "40 s"), (89.4, "89 s"), (180, "3 min"), (9000, "2.5 h")])
def test_duration_is_in_the_unit_that_fits(seconds: float, told: str) -> None:
    assert duration(seconds) == told
