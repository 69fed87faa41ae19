from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.errors import InvalidParamsError
from meshapi_core.usage import BudgetLimits, TotalUsage


@pytest.mark.parametrize("wrong", [-1, "60", True, float("nan"), float("inf"), [], 1j])
def test_seconds_are_a_number_of_at_least_0(wrong: Any) -> None:
    with pytest.raises(InvalidParamsError, match="seconds: expected seconds, at least 0"):
        BudgetLimits.of(None, None, None, wrong)


def test_a_timedelta_is_told_how_to_be_seconds() -> None:
    with pytest.raises(InvalidParamsError, match=r"got datetime.timedelta; write x.total_seconds"):
        BudgetLimits.of(None, None, None, timedelta(minutes=1))


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "3"])
def test_failures_are_a_whole_number_of_at_least_0(wrong: Any) -> None:
    with pytest.raises(InvalidParamsError, match="failures: expected a whole number, at least 0"):
        BudgetLimits.of(None, None, None, None, wrong)


def test_there_must_be_a_limit() -> None:
    with pytest.raises(InvalidParamsError, match=r"requests=, seconds= or failures=, got no limit"):
        BudgetLimits.of(None, None, None)


@given(st.floats(0, 1e9), st.integers(0, 1000))
def test_seconds_and_failures_alone_stop_no_single_call(seconds: float, failures: int) -> None:
    limits = BudgetLimits.of(None, None, None, seconds, failures)
    with pytest.raises(InvalidParamsError, match="got seconds= and failures=; only"):
        limits.check_calls()
    assert limits.used_up(TotalUsage(requests=10**6, cost_usd=Decimal(10**6))) is None


def test_other_limits_can_be_kept_by_any_calls() -> None:
    limits = BudgetLimits.of("0.50", 5, 5)
    limits.check_calls()
    assert limits == BudgetLimits(cost_usd=Decimal("0.50"), tokens=5, requests=5)
