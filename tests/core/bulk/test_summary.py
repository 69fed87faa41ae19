"""A summary adds up the items of a run."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import MeshAPIError, RateLimitError
from meshapi_core.bulk import MapItem, MapSummary, SummaryCounts
from meshapi_core.usage import TotalUsage

USAGES = st.builds(
    TotalUsage,
    requests=st.integers(0, 3),
    input_tokens=st.integers(0, 100),
    output_tokens=st.integers(0, 100),
    cached_tokens=st.integers(0, 10),
    reasoning_tokens=st.integers(0, 10),
    cost_usd=st.decimals(0, 1, places=7),
    unpriced=st.integers(0, 1),
    estimated=st.integers(0, 1),
)
ERRORS = st.sampled_from(["read_timeout", "rate_limit_exceeded", "x"]).map(
    lambda code: MeshAPIError("no", error_code=code)
)
ITEMS: st.SearchStrategy[MapItem[Any]] = st.builds(
    MapItem[Any],
    index=st.integers(0, 100),
    id=st.just("a"),
    value=st.just(1),
    error=st.one_of(st.none(), ERRORS),
    usage=USAGES,
    attempts=st.integers(0, 3),
    recorded=st.booleans(),
)


@given(st.lists(ITEMS))
def test_the_summary_is_the_sum_of_the_items(items: list[MapItem[Any]]) -> None:
    counts = SummaryCounts()
    for item in items:
        counts.add(item)
    found = counts.summary(2.5, "completed")
    usage = sum((item.usage for item in items), TotalUsage())
    failed = [item.error for item in items if item.error is not None]
    assert (found.calls, found.failed) == (len(items), len(failed))
    assert found.succeeded == found.calls - found.failed
    assert (found.usage, found.cost) == (usage, usage.cost_usd)
    assert found.recorded == sum(item.recorded for item in items)
    assert found.attempts == sum(item.attempts for item in items if not item.recorded)
    codes = [error.error_code for error in failed]
    assert found.errors == {code: codes.count(code) for code in codes}
    assert [*found.errors.values()] == sorted(found.errors.values(), reverse=True)
    assert (found.seconds, found.stopped, found.skipped) == (2.5, "completed", 0)
    assert counts.usage() == usage
    assert (counts.done, counts.failed) == (found.calls, found.failed)


def test_error_codes_from_servers_do_not_fill_the_memory() -> None:
    counts = SummaryCounts()
    for number in range(1_000):
        error = MeshAPIError("no", error_code=f"code-{number}")
        counts.add(MapItem[Any](index=number, id="a", error=error), skipped=number == 0)
    found = counts.summary()
    assert len(found.errors) == 101
    assert next(iter(found.errors.items())) == ("other codes", 900)
    assert (found.failed, found.skipped) == (1_000, 1)


def example() -> MapSummary:
    counts = SummaryCounts()
    usage = TotalUsage(requests=1, input_tokens=1_500, output_tokens=20, cost_usd=Decimal("0.002"))
    counts.add(MapItem(index=0, id="a", value=1, usage=usage, attempts=1))
    counts.add(MapItem(index=1, id="b", value=1, usage=usage, attempts=2, recorded=True))
    error = RateLimitError("no", status=429, error_code="rate<limit>")
    counts.add(MapItem[Any](index=2, id="c", error=error, attempts=4))
    return counts.summary(12.34, "completed")


def test_a_summary_prints_as_a_table() -> None:
    assert str(example()).splitlines() == [
        "calls          3",
        "succeeded      2",
        "failed         1",
        "- rate<limit>  1",
        "recorded       1",
        "attempts       5",
        "input tokens   3,000",
        "output tokens  40",
        "US dollars     0.004",
        "seconds        12.3",
        "stopped        completed",
    ]
    assert str(MapSummary()).splitlines()[-1] == "stopped        no"


def test_a_summary_shows_answers_that_are_not_whole() -> None:
    summary = MapSummary(calls=9, succeeded=8, truncated=3, refused=1, failed=1, errors={"x": 1})
    assert str(summary).splitlines()[:6] == [
        "calls          9",
        "succeeded      8",
        "- truncated    3",
        "- refused      1",
        "failed         1",
        "- x            1",
    ]
    assert "<td>- truncated</td><td>3</td>" in summary._repr_html_()


def test_a_summary_is_a_table_in_notebooks() -> None:
    html = example()._repr_html_()
    assert "<td>- rate&lt;limit&gt;</td><td>1</td>" in html
    assert "<td>stopped</td><td>completed</td>" in html
