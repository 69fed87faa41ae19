"""Medians, ratios and how far they spread, from the samples of contenders."""

from statistics import median
from typing import NamedTuple, Optional


class Spread(NamedTuple):
    """Some values of the same thing."""

    median: float
    least: float
    most: float


def spread(values):
    return Spread(median(values), min(values), max(values))


def values(result, figure):
    """A figure by round, of what a contender gave; nothing of one that was not run."""
    samples = (result or {}).get("samples", ())
    return {each["round"]: each[figure] for each in samples if figure in each}


def figure(results, label, name):
    """The spread of a contender's figure, or None."""
    found = values(results.get(label), name)
    return spread(found.values()) if found else None


def ratio(results, label, other, name):
    """How many times another's figure one's is, of each round: those samples belong together.

    None where they have no round in common, or where the other's is not above zero.
    """
    ours, theirs = values(results.get(label), name), values(results.get(other), name)
    found = [ours[at] / theirs[at] for at in ours if theirs.get(at, 0) > 0]
    return spread(found) if found else None


class Verdict(NamedTuple):
    """A goal, and whether it was reached; `measured` is None where nothing was."""

    goal: object
    measured: Optional[Spread]

    @property
    def met(self):
        return self.measured is not None and self.measured.median <= self.goal.at_most

    @property
    def words(self):
        if self.measured is None:
            return "not measured"
        if self.met:
            return "met"
        return f"missed by {self.measured.median / self.goal.at_most - 1:.0%}".replace("%", " %")


def judge(row, results):
    """The verdict on each goal of a row."""
    for goal in row.goals:
        if goal.against is None:
            measured = figure(results, goal.of, goal.figure)
        else:
            measured = ratio(results, goal.of, goal.against, goal.figure)
        yield Verdict(goal, measured)
