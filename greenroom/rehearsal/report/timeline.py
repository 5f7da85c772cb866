"""The lock timeline: who stood still when. A lane a table, seconds since the migration was let go from left to right.

Places along the time are percentages and everything else is in pixels, so that one drawing suits a wide screen and a
telephone without a script. `picture` decides what is drawn, `timeline.svg.j2` draws it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from greenroom.rehearsal.document import Blocked, Budget, MigrationRun, Rehearsal, Stall
from greenroom.rehearsal.report import words
from greenroom.rehearsal.report.templates import environment

LANES = 24
CALM_LANES = 6  # probed tables on which nobody waited
BARS = 360  # of all lanes; in each, the longest
BANDS = 150  # the longest migrations
THIN = 0.6  # per cent of the time below which a bar gets a mark of constant width
TICKS = (1, 2, 5)
UNITS = ((3600, "h"), (60, "min"), (1, "s"), (0.001, "ms"))
WIDE, NARROW = 1040, 340  # pixels that the two sets of labels are made for
LETTER = 7.0  # pixels

Kind = Literal["read", "write", "row"]
WHO: dict[Kind, str] = {"read": "readers", "write": "writers", "row": "writers of changed rows"}


@dataclass(frozen=True)
class Bar:
    kind: Kind
    left: float
    width: float
    over: float | None  # where the budget is used up
    derived: bool
    title: str

    @property
    def thin(self) -> bool:
        return self.width < THIN


@dataclass(frozen=True)
class Lane:
    table: str
    figures: str
    worst: str
    bars: list[Bar]

    @property
    def height(self) -> int:
        """In pixels; a table on which nobody waited needs no room for bars."""
        return 54 if self.bars else 30

    def name(self, pixels: int) -> str:
        return words.squeezed(self.table, min(64, int(pixels * 0.6 / LETTER)))


@dataclass(frozen=True)
class Band:
    number: int
    label: str
    left: float
    width: float
    failed: bool
    title: str

    def text(self, pixels: int) -> str:
        letters = int(self.width / 100 * pixels / LETTER) - 1
        if letters >= 10:
            return words.cut(f"{self.number}  {self.label}", letters)
        return str(self.number) if letters >= len(str(self.number)) else ""


@dataclass(frozen=True)
class Tick:
    left: float
    text: str

    @property
    def anchor(self) -> str:
        return "start" if self.left < 5 else "end" if self.left > 95 else "middle"


@dataclass(frozen=True)
class Picture:
    lanes: list[Lane]
    bands: list[Band]
    ticks: list[Tick]
    failed_at: float | None
    left_out: str
    description: str

    @property
    def height(self) -> int:
        """Of all lanes together."""
        return sum(lane.height for lane in self.lanes)


def svg(rehearsal: Rehearsal, width: int | None = None) -> Markup:
    """The timeline as one SVG element with its own styles.

    `width`, in pixels, makes a picture that can stand as a file; without it the drawing is as wide as its place.
    """
    template = environment().get_template("timeline.svg.j2")
    return Markup(
        template.render(picture=picture(rehearsal), width=width, wide=WIDE, narrow=NARROW, budget=rehearsal.budget)
    )


def picture(rehearsal: Rehearsal) -> Picture:
    """What is drawn of a rehearsal."""
    span = _span(rehearsal)
    stalls = words.most_blocked(rehearsal.stalls)
    shown, rest = stalls[:LANES], stalls[LANES:]
    bars = BARS // max(len(shown), 1)
    lanes = [_lane(stall, span, rehearsal.budget, bars) for stall in shown]
    blocked = {stall.table for stall in stalls}
    calm = [table for table in rehearsal.fidelity.probed_tables if table not in blocked]
    lanes += [_calm(table) for table in calm[: min(CALM_LANES, LANES - len(lanes))]]
    return Picture(
        lanes=lanes,
        bands=_bands(rehearsal.migrations, span),
        ticks=_ticks(span),
        failed_at=_failed_at(rehearsal, span),
        left_out=_left_out(rest),
        description=words.clean(words.noticed(rehearsal)),
    )


def _span(rehearsal: Rehearsal) -> float:
    """Seconds that the drawing is wide."""
    runs = [*rehearsal.migrations, *filter(None, [rehearsal.post_migrate])]
    ends = [run.started_s + run.seconds for run in runs if run.started_s is not None]
    blocked = [entry.to_s for stall in rehearsal.stalls for entry in stall.blocked]
    return max([0.001, *ends, *blocked])


def _lane(stall: Stall, span: float, budget: Budget, bars: int) -> Lane:
    longest = sorted(stall.blocked, key=lambda entry: entry.from_s - entry.to_s)[:bars]
    figures = [
        f"{who} {words.milliseconds(ms)}"
        for who, ms in (("readers", stall.read_ms), ("writers", stall.write_ms))
        if ms > 0
    ]
    if stall.derived:
        figures.append("derived")
    if len(stall.blocked) > len(longest):
        figures.append(f"{len(longest)} longest of {len(stall.blocked)} waits")
    return Lane(
        table=words.clean(stall.table),
        figures=" · ".join(figures),
        worst=words.milliseconds(max(stall.read_ms, stall.write_ms)),
        bars=[_bar(entry, stall.table, span, budget) for entry in sorted(longest, key=lambda entry: entry.from_s)],
    )


def _calm(table: str) -> Lane:
    return Lane(table=words.clean(table), figures="probed, nobody waited", worst="calm", bars=[])


def _bar(entry: Blocked, table: str, span: float, budget: Budget) -> Bar:
    kind: Kind = "row" if entry.rows_only else "read" if entry.reads else "write"
    seconds = entry.to_s - entry.from_s
    allowed = (budget.read_ms if kind == "read" else budget.write_ms) / 1000
    how = "derived from the locks" if entry.derived else "measured by a probe"
    during = f", during {entry.migration}" if entry.migration else ""
    over = f", over the budget of {words.duration(allowed)}" if seconds > allowed else ""
    return Bar(
        kind=kind,
        left=_percent(entry.from_s, span),
        width=max(0.01, _percent(entry.to_s, span) - _percent(entry.from_s, span)),
        over=_percent(entry.from_s + allowed, span) if seconds > allowed else None,
        derived=entry.derived,
        title=words.clean(
            f"{words.squeezed(table, 50)}: {WHO[kind]} stood still for {words.duration(seconds)}, "
            f"from {entry.from_s:.3f} s to {entry.to_s:.3f} s{words.cut(during, 50)} ({how}{over})"
        ),
    )


def _bands(runs: list[MigrationRun], span: float) -> list[Band]:
    ran = [(number, run) for number, run in enumerate(runs, 1) if run.started_s is not None]
    longest = sorted(ran, key=lambda pair: -pair[1].seconds)[:BANDS]
    return [_band(number, run, span) for number, run in sorted(longest, key=lambda pair: pair[0])]


def _band(number: int, run: MigrationRun, span: float) -> Band:
    start = run.started_s or 0.0
    end = start + run.seconds
    label = words.clean(words.label(run))
    return Band(
        number=number,
        label=label,
        left=_percent(start, span),
        width=max(0.01, _percent(end, span) - _percent(start, span)),
        failed=run.status == "failed",
        title=f"{number}. {words.cut(label, 60)}: {run.status}, {words.duration(run.seconds)}",
    )


def _failed_at(rehearsal: Rehearsal, span: float) -> float | None:
    """Where the run broke off."""
    ends = [
        run.started_s + run.seconds
        for run in rehearsal.migrations
        if run.status == "failed" and run.started_s is not None
    ]
    return _percent(max(ends), span) if ends and rehearsal.error else None


def _ticks(span: float) -> list[Tick]:
    """At most eight round numbers."""
    unit, name = next((u, n) for u, n in UNITS if span >= 2 * u or u <= 1 <= span / u)
    step = next(
        factor * 10**power for power in range(-3, 9) for factor in TICKS if span / unit / (factor * 10.0**power) <= 7
    )
    return [
        Tick(_percent(n * step * unit, span), f"{n * step:g} {name}") for n in range(int(span / unit / step + 1e-9) + 1)
    ]


def _left_out(rest: list[Stall]) -> str:
    if not rest:
        return ""
    longest = words.milliseconds(max(rest[0].read_ms, rest[0].write_ms))
    return f"and {words.counted(len(rest), 'more table')}, none of them blocked for longer than {longest}"


def _percent(seconds: float, span: float) -> float:
    return round(min(100.0, max(0.0, 100 * seconds / span)), 3)
