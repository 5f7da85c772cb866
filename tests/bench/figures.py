"""Figures side by side, of runs taken in turn, since a machine's speed drifts."""

from __future__ import annotations

from math import ceil, floor, sqrt
from statistics import median


def compare(what: str, ours: list[float], theirs: list[float], reach: float, unit: str = "s") -> bool:
    """Print both medians and their ratio against the ratio to reach; true when it is reached."""
    ratio = median(ours) / median(theirs)
    verdict = "reached" if ratio <= reach else "NOT reached"
    figures = f"{median(ours):.3f} {unit} against {median(theirs):.3f} {unit}"
    print(f"{what}: {figures}: ratio {ratio:.3f} (at most {reach}: {verdict})")
    return ratio <= reach


def at_most(what: str, figures: list[float], reach: float, unit: str) -> bool:
    """Print a median against the most that it may be."""
    verdict = "reached" if median(figures) <= reach else "NOT reached"
    print(f"{what}: {median(figures):.3f} {unit} (at most {reach} {unit}: {verdict})")
    return median(figures) <= reach


def rate(what: str, ours: list[float], theirs: list[float], reach: float, unit: str = "MB/s") -> bool:
    """Print both medians and their ratio against the least that it may be; true when it is reached."""
    ratio = median(ours) / median(theirs)
    verdict = "reached" if ratio >= reach else "NOT reached"
    figures = f"{median(ours):.1f} {unit} against {median(theirs):.1f} {unit}"
    print(f"{what}: {figures}: ratio {ratio:.3f} (at least {reach}: {verdict})")
    return ratio >= reach


def paired(what: str, ours: list[float], theirs: list[float], reach: float, unit: str) -> bool:
    """Print the median of the ratios of pairs that were taken together, and between what chance leaves it, against the
    least that it may be; true when it is reached. What slows the machine down for both does not change a ratio.
    """
    ratios = sorted(mine / its for mine, its in zip(ours, theirs, strict=True))
    ratio, (low, high) = median(ratios), median_between(ratios)
    verdict = "reached" if ratio >= reach else "NOT reached"
    figures = f"{median(ours):.1f} {unit} against {median(theirs):.1f} {unit}"
    chance = f"{low:.3f} to {high:.3f} with 95 % confidence, of {len(ratios)} pairs"
    print(f"{what}: {figures}: ratio {ratio:.3f} ({chance}; at least {reach}: {verdict})")
    return ratio >= reach


def median_between(ordered: list[float]) -> tuple[float, float]:
    """Between which two of the values the true median is, with 95 % confidence: by their ranks, whatever they are."""
    half, reach = len(ordered) / 2, 0.98 * sqrt(len(ordered))
    return ordered[max(0, floor(half - reach))], ordered[min(len(ordered) - 1, ceil(half + reach) - 1)]
