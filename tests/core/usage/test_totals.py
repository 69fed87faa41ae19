"""What calls use is the sum of their parts, in whatever order the parts become known."""

import copy
import pickle
from decimal import Decimal
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import InvalidParamsError
from meshapi_core.types import ModelInfo, ModelPricing
from meshapi_core.usage import (
    Account,
    BudgetExceededError,
    BudgetLimits,
    PriceList,
    RequestUsage,
    TokenCounts,
    TotalUsage,
    admit,
    token_counts,
    usage_html,
    usage_table,
)

COUNTS = st.integers(0, 10**9)
USAGES = st.builds(
    TotalUsage,
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
TOKENS = st.builds(TokenCounts, input=COUNTS, output=COUNTS, cache_read=st.integers(0, 5))
REQUESTS = st.builds(
    RequestUsage,
    model=st.sampled_from(["a", "b", "m"]),
    tokens=st.none() | TOKENS,
    cost=st.none() | st.decimals(0, 1000, places=9),
    ended=st.booleans(),
    free=st.booleans(),
)
# A call is what is known of its request at one time after the other; None is no request.
CALLS = st.lists(st.lists(st.none() | REQUESTS, min_size=1, max_size=4))


def by_model(requests: "list[RequestUsage]", prices: PriceList) -> "dict[str, TotalUsage]":
    sums: dict[str, TotalUsage] = {}
    for request in requests:
        sums[request.model] = sums.get(request.model, TotalUsage()) + request.usage(prices)
    return sums


@given(CALLS, st.randoms(use_true_random=False))
def test_any_interleaving_of_calls_has_the_sum_of_their_ends(
    calls: "list[list[Optional[RequestUsage]]]", random: Any
) -> None:
    account = Account([CHEAP])
    left: list[list[Any]] = [[None, *call] for call in calls]
    while left:
        steps = left[random.randrange(len(left))]
        if len(steps) == 1:
            left.remove(steps)
        else:
            account.enter([(steps[0], steps[1])])
            del steps[0]
    ends = [call[-1] for call in calls if call[-1] is not None]
    assert account.by_model == by_model(ends, PriceList([CHEAP]))
    assert account.total == sum(account.by_model.values(), TotalUsage())


@given(USAGES, USAGES, USAGES)
def test_usage_is_a_group(one: TotalUsage, two: TotalUsage, three: TotalUsage) -> None:
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
# As routers are listed, whose price is that of the model that they choose.
ROUTER = ModelInfo(
    id="auto", pricing=ModelPricing(prompt_usd_per_1m="-1000000", completion_usd_per_1m="-1000000")
)
ON_REQUEST = ModelInfo(
    id="on request", pricing=ModelPricing(prompt_usd_per_1m="2", request_usd="on request")
)


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
        ("auto", TokenCounts(input=1), None),
        ("on request", TokenCounts(input=1), None),
    ],
)
def test_an_estimate_needs_every_price(model: str, tokens: Any, cost: Any) -> None:
    found = PriceList([CHEAP, OLD, FREE, ROUTER, ON_REQUEST]).cost(model, tokens)
    assert found == (None if cost is None else Decimal(cost))


@pytest.mark.parametrize("prices", ["m", 5, [{"id": "m"}], ["m"]])
def test_prices_are_models(prices: Any) -> None:
    with pytest.raises(InvalidParamsError, match=r"client\.models\.list"):
        PriceList(prices)


@given(REQUESTS)
def test_what_is_not_known_is_never_zero(request: RequestUsage) -> None:
    for prices in (PriceList(), PriceList([CHEAP])):
        usage = request.usage(prices)
        assert usage.requests == 1
        states = (usage.unpriced, usage.estimated, usage.in_progress)
        is_told = request.cost is not None or request.free
        assert sum(states) == (not request.ended or not is_told)
        if request.cost is not None:
            assert usage.cost_usd == request.cost
        elif not usage.estimated:
            assert usage.cost_usd == 0


def test_a_request_without_a_cost_is_estimated() -> None:
    request = RequestUsage(model="m", tokens=TokenCounts(input=100), ended=True)
    usage = request.usage(PriceList([CHEAP]))
    assert (usage.unpriced, usage.estimated, usage.cost_usd) == (0, 1, Decimal("0.0002"))
    assert request.usage(PriceList()).unpriced == 1


# Budgets


@given(USAGES, st.integers(0, 10**9), st.integers(1, 3))
def test_a_limit_is_used_up_once_nothing_is_left(spent: TotalUsage, limit: int, asked: int) -> None:
    by_tokens = BudgetLimits(tokens=limit).used_up(spent)
    assert (by_tokens is None) == (spent.total_tokens < limit)
    by_cost = BudgetLimits(cost_usd=Decimal(limit)).used_up(spent)
    assert (by_cost is None) == (spent.cost_usd < limit)
    by_requests = BudgetLimits(requests=limit).used_up(spent, asked)
    assert (by_requests is None) == (spent.requests + asked <= limit)


def test_a_call_is_admitted_by_all_accounts_or_by_none() -> None:
    wide = Account(limits=BudgetLimits(requests=3))
    tight = Account(limits=BudgetLimits(requests=1))
    one = [(None, RequestUsage(model="m"))]
    admit([wide, tight], one)
    for accounts in ([wide, tight], [tight, wide]):
        with pytest.raises(BudgetExceededError) as caught:
            admit(accounts, one)
        assert caught.value.allowed == 1
    with pytest.raises(BudgetExceededError):
        admit([wide], one * 3)
    assert wide.total.requests == tight.total.requests == 1
    # A realtime session has no request yet, but is going to have one.
    with pytest.raises(BudgetExceededError):
        admit([tight], [])


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
    spent = TotalUsage(requests=3, input_tokens=10, cost_usd=Decimal("0.012"))
    error = BudgetExceededError("cost_usd", Decimal("0.01"), spent)
    assert "0.012 of 0.01 US dollars" in str(error)
    assert error.error_code == "budget_exceeded"
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (twin.limit, twin.allowed, twin.spent) == ("cost_usd", Decimal("0.01"), spent)


def test_a_table_has_a_row_for_each_model_and_the_sum() -> None:
    known = {
        "a": TotalUsage(requests=1, input_tokens=1234, cost_usd=Decimal("0.5")),
        "<b>\x1b[2J": TotalUsage(requests=2, unpriced=2),
    }
    total = sum(known.values(), TotalUsage())
    lines = usage_table(known, total).splitlines()
    assert [line.split()[0] for line in lines] == ["model", "a", "<b>\\x1b[2J", "total"]
    assert lines[1].split()[1:] == ["1", "1,234", "0", "0", "0", "0.5"]
    assert lines[2].endswith("unknown")
    assert lines[3].endswith("0.5 + 2 unpriced")
    html = usage_html(known, total)
    assert "<td>0.5 + 2 unpriced</td>" in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
