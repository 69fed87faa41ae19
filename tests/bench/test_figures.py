"""Medians, ratios and verdicts of the benchmark."""

from bench.figures import Spread, figure, judge, ratio
from bench.rows import Contender, Goal, Row


def sampled(**figures: list[float]) -> dict:
    names = list(figures)
    rounds = enumerate(zip(*figures.values()))
    return {"samples": [{"round": at, **dict(zip(names, each))} for at, each in rounds]}


def test_a_figure_is_its_median_with_the_least_and_the_most() -> None:
    results = {"a": sampled(cpu=[5.0, 1.0, 9.0, 2.0])}
    assert figure(results, "a", "cpu") == Spread(3.5, 1.0, 9.0)


def test_a_ratio_is_of_samples_that_were_taken_together() -> None:
    """The machine was busy in the second round, which no ratio of medians or minima shows."""
    results = {"a": sampled(cpu=[10.0, 80.0, 12.0]), "b": sampled(cpu=[20.0, 160.0, 12.0])}
    assert ratio(results, "a", "b", "cpu") == Spread(0.5, 0.5, 1.0)


def test_rounds_that_one_of_both_does_not_have_are_left_out() -> None:
    results = {"a": sampled(cpu=[10.0, 80.0]), "b": {"samples": [{"round": 1, "cpu": 40.0}]}}
    assert ratio(results, "a", "b", "cpu") == Spread(2.0, 2.0, 2.0)


def test_who_was_not_run_has_no_figures() -> None:
    results = {"a": sampled(cpu=[1.0]), "b": {"reason": "pip could not install it"}}
    assert figure(results, "b", "cpu") is None
    assert ratio(results, "a", "b", "cpu") is None
    assert ratio(results, "a", "c", "cpu") is None


def test_nothing_is_divided_by_zero() -> None:
    results = {"a": sampled(rss=[1.0]), "b": sampled(rss=[0.0])}
    assert ratio(results, "a", "b", "rss") is None


def test_a_goal_is_met_or_missed_by_so_much() -> None:
    goals = (
        Goal(0.5, "b", of="a"),
        Goal(0.4, "b", of="a"),
        Goal(12, figure="rss", of="a"),
        Goal(1, "c", of="a"),
    )
    contenders = (Contender("a", "ours"), Contender("b", "official"))
    row = Row("r", "", "", contenders, {"cpu": "", "rss": ""}, goals=goals)
    results = {"a": sampled(cpu=[10.0], rss=[18.0]), "b": sampled(cpu=[20.0], rss=[1.0])}
    words = [verdict.words for verdict in judge(row, results)]
    assert words == ["met", "missed by 25 %", "missed by 50 %", "not measured"]
