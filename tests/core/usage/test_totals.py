"""What calls use is the sum of their parts, in whatever order the parts become known."""

import copy
import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import InvalidParamsError
from meshapi_core.types import ModelInfo, ModelPricing
from meshapi_core.usage import (
    BudgetExceededError,
    BudgetLimits,
    Ledger,
    PriceList,
    TokenCounts,
    Usage,
    UsagePart,
    token_counts,
    usage_table,
    usages,
)

COUNTS = st.integers(0, 10**9)
USAGES = st.builds(
    Usage,
    requests=COUNTS,
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    cached_tokens=COUNTS,
    reasoning_tokens=COUNTS,
    cost_usd=st.decimals(0, 1000, places=9),
    unpriced=COUNTS,
    estimated=COUNTS,
    in_progress=COUNTS,
)
MODELS = st.sampled_from(["a", "b", "c"])
# A call is what is known of it at one time after the other.
CALLS = st.lists(st.lists(st.dictionaries(MODELS, USAGES, max_size=2), min_size=1, max_size=4))


def summed(many: "list[dict[str, Usage]]") -> "dict[str, Usage]":
    sums: dict[str, Usage] = {}
    for each in many:
        for model, usage in each.items():
            sums[model] = sums.get(model, Usage()) + usage
    return {model: usage for model, usage in sums.items() if usage}


@given(CALLS, st.randoms(use_true_random=False))
def test_any_interleaving_of_calls_has_the_sum_of_their_ends(
    calls: "list[list[dict[str, Usage]]]", random: Any
) -> None:
    ledger = Ledger()
    left = [(iter(call), {}) for call in calls]
    last: list[dict[str, Usage]] = []
    while left:
        index = random.randrange(len(left))
        steps, known = left[index]
        now = next(steps, None)
        if now is None:
            last.append(left.pop(index)[1])
        else:
            ledger.change(known, now)
            left[index] = (steps, now)
    assert ledger.by_model == summed(last)
    assert ledger.total == sum(summed(last).values(), Usage())


@given(USAGES, USAGES, USAGES)
def test_usage_is_a_group(one: Usage, two: Usage, three: Usage) -> None:
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert one + two - two == one
    assert not one - one
    assert one.total_tokens == one.input_tokens + one.output_tokens


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ("many", None),
        ({"prompt_tokens": "5", "completion_tokens": -1}, None),
        ({"prompt_tokens": True, "total_tokens": 2.5}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": 5}, TokenCounts(input=5)),
        ({"total_tokens": 7}, TokenCounts(input=7)),
        ({"input_tokens": 5, "output_tokens": 2}, TokenCounts(input=5, output=2)),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 8},
            },
            TokenCounts(input=5, output=9, cache_read=4, reasoning=8),
        ),
        ({"prompt_tokens": 5, "prompt_tokens_details": [1]}, TokenCounts(input=5)),
    ],
)
def test_counts_are_read_under_each_name(usage: Any, expected: Any) -> None:
    assert token_counts(usage) == expected


# Prices

CHEAP = ModelInfo(
    id="m",
    standard_context_threshold=1000,
    pricing=ModelPricing(
        prompt_usd_per_1m="2",
        completion_usd_per_1m="10",
        cache_read_input_usd_per_1m="0.5",
        long_context_input_usd_per_1m="4",
    ),
)
OLD = ModelInfo(id="old", pricing=ModelPricing(prompt_usd_per_1k="0.5", request_usd="0.01"))
FREE = ModelInfo(id="free", is_free=True)


@pytest.mark.parametrize(
    ("model", "tokens", "cost"),
    [
        ("m", TokenCounts(input=100, output=10), "0.0003"),
        ("m", TokenCounts(input=100, output=10, cache_read=50), "0.000225"),
        ("m", TokenCounts(input=2000), "0.008"),
        ("m", TokenCounts(input=10, input_audio=5), None),
        ("m", None, None),
        ("old", TokenCounts(input=2), "0.011"),
        ("old", TokenCounts(input=2, output=1), None),
        ("free", None, "0"),
        ("unheard of", TokenCounts(input=1), None),
    ],
)
def test_an_estimate_needs_every_price(model: str, tokens: Any, cost: Any) -> None:
    found = PriceList([CHEAP, OLD, FREE]).cost(model, tokens, 1)
    assert found == (None if cost is None else Decimal(cost))


@pytest.mark.parametrize("prices", ["m", 5, [{"id": "m"}], ["m"]])
def test_prices_are_models(prices: Any) -> None:
    with pytest.raises(InvalidParamsError, match=r"client\.models\.list"):
        PriceList(prices)


def test_what_is_not_known_is_never_zero() -> None:
    unknown = UsagePart(unknown=1, tokens=TokenCounts(input=100), unknown_tokens=None)
    assert unknown.usage("m", None).unpriced == 1
    priced = UsagePart(unknown=1, unknown_tokens=TokenCounts(input=100))
    usage = usages({"m": priced}, PriceList([CHEAP]))["m"]
    assert (usage.unpriced, usage.estimated, usage.cost_usd) == (0, 1, Decimal("0.0002"))


# Budgets


@given(USAGES, st.integers(0, 10**9), st.integers(1, 3))
def test_a_limit_is_used_up_once_nothing_is_left(spent: Usage, limit: int, asked: int) -> None:
    by_tokens = BudgetLimits(tokens=limit).used_up(spent)
    assert (by_tokens is None) == (spent.total_tokens < limit)
    by_cost = BudgetLimits(cost_usd=Decimal(limit)).used_up(spent)
    assert (by_cost is None) == (spent.cost_usd < limit)
    by_requests = BudgetLimits(requests=limit).used_up(spent, asked)
    assert (by_requests is None) == (spent.requests + asked <= limit)


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({}, "no limit"),
        ({"cost_usd": "cheap"}, "cost_usd: expected US dollars"),
        ({"cost_usd": -1}, "cost_usd: expected US dollars"),
        ({"cost_usd": float("nan")}, "cost_usd: expected US dollars"),
        ({"cost_usd": True}, "cost_usd: expected US dollars"),
        ({"tokens": 1.5}, "tokens: expected a whole number"),
        ({"tokens": True}, "tokens: expected a whole number"),
        ({"requests": -1}, "requests: expected a whole number"),
        ({"requests": "3"}, "requests: expected a whole number"),
    ],
)
def test_a_wrong_limit_is_named(given_: Any, message: str) -> None:
    limits = {"cost_usd": None, "tokens": None, "requests": None, **given_}
    with pytest.raises(InvalidParamsError, match=message):
        BudgetLimits.of(**limits)


def test_the_error_says_what_was_spent_and_allowed() -> None:
    spent = Usage(requests=3, input_tokens=10, cost_usd=Decimal("0.012"))
    error = BudgetExceededError("cost_usd", Decimal("0.01"), spent)
    assert "0.012 of 0.01 US dollars" in str(error)
    assert error.error_code == "budget_exceeded"
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (twin.limit, twin.allowed, twin.spent) == ("cost_usd", Decimal("0.01"), spent)


def test_a_table_has_a_row_for_each_model_and_the_sum() -> None:
    ledger = Ledger()
    ledger.change({}, {"a": Usage(requests=1, input_tokens=1234, cost_usd=Decimal("0.5"))})
    ledger.change({}, {"b\x1b[2J": Usage(requests=2, unpriced=2)})
    lines = usage_table(ledger.by_model, ledger.total).splitlines()
    assert [line.split()[0] for line in lines] == ["model", "a", "b\\x1b[2J", "total"]
    assert lines[1].split()[1:] == ["1", "1,234", "0", "0", "0", "0.5"]
    assert lines[2].endswith("unknown")
    assert lines[3].endswith("0.5 + 2 unpriced")
