"""Amounts of money are exact, whatever comes and in whatever order it is added."""

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.types import (
    ChatCompletionChunk,
    ChatCompletionResponse,
    ModelPricing,
    RagFileStatus,
    ResponsesResponse,
    UsageSummary,
)
from meshapi_core.usage import added, usd

AMOUNTS = st.decimals(
    min_value=0, max_value=10**12, places=12, allow_nan=False, allow_infinity=False
)


@given(AMOUNTS)
def test_text_and_decimals_keep_their_value(amount: Decimal) -> None:
    assert usd(f"{amount:f}") == usd(amount) == amount


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_a_float_is_read_as_python_prints_it(number: float) -> None:
    amount = usd(number)
    assert amount is not None
    assert float(amount) == number
    assert amount == Decimal(repr(number))


@given(st.lists(AMOUNTS), st.randoms(use_true_random=False), st.integers(1, 5))
def test_a_sum_is_the_same_in_any_order_and_any_context(
    amounts: list[Decimal], random: Any, digits: int
) -> None:
    shuffled = [*amounts]
    random.shuffle(shuffled)
    with localcontext() as context:
        context.prec = digits
        sums = [[*accumulate(each, added, initial=Decimal(0))][-1] for each in (amounts, shuffled)]
    assert sums[0] == sums[1]
    assert Fraction(sums[0]) == sum(map(Fraction, amounts))


ODD: list[Any] = [None, True, False, "", "free", "1,5", "NaN", "Infinity", "1e400", "-", "0x1", []]
ODD += [float("nan"), float("inf"), 1e300, 10**400, "9" * 400, Decimal("NaN"), Decimal("1e-999")]
ODD += ["1e-99", {"usd": 1}, b"1", "\u0661", "-1", "-0.5", -3, -1e-9, Decimal(-2)]


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_what_is_no_amount_is_none(value: Any) -> None:
    assert usd(value) is None


@pytest.mark.parametrize(
    ("response", "cost"),
    [
        (ChatCompletionResponse(cost="0.10"), "0.10"),
        (ChatCompletionResponse(cost="free"), None),
        (ChatCompletionResponse(), None),
        (ChatCompletionChunk(cost="1e-7"), "0.0000001"),
        (RagFileStatus.model_validate({"file_id": "f", "total_cost_usd": 0.1}), "0.1"),
        (UsageSummary.model_validate({"total_cost_usd": "12.30"}), "12.30"),
        (ResponsesResponse.model_validate({"id": "r", "cost": "0.5"}), "0.5"),
        (ResponsesResponse.model_validate({"id": "r", "usage": {"cost": 0.25}}), "0.25"),
    ],
)
def test_every_response_has_its_cost_in_one_form(response: Any, cost: Any) -> None:
    expected = None if cost is None else Decimal(cost)
    assert response.cost_usd == expected
    assert type(response.cost_usd) is type(expected)


def test_prices_are_amounts_by_field() -> None:
    pricing = ModelPricing(prompt_usd_per_1m="0.15", notes="a note", request_usd="none")
    assert pricing.amounts == {"prompt_usd_per_1m": Decimal("0.15")}
