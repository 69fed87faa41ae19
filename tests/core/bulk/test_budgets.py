"""Where a budget stops a run."""

import random
from decimal import Decimal
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.bulk import Admission, Hold, Slot, Stop
from meshapi_core.usage import BudgetLimits, TotalUsage

NOTHING = TotalUsage()
INF = float("inf")


class Program:
    """Makes calls until the budget stops it; `concurrency` of them end at the same time."""

    def __init__(self, limits: BudgetLimits, concurrency: int) -> None:
        self.admission = Admission(0.0, concurrency=concurrency, limits=limits)
        self.spent = NOTHING
        self.stop: Optional[Stop] = None

    def run(self, calls: "list[tuple[int, int]]", *, knows_cost: bool = True) -> None:
        under_way: list[tuple[Slot, int]] = []
        calls = calls[::-1]
        while self.stop is None and (calls or under_way):
            decision = self.ask(*calls[-1], knows_cost) if calls else Hold(INF)
            if isinstance(decision, Slot):
                self.spent += TotalUsage(requests=1)
                under_way.append((decision, calls.pop()[1]))
            elif isinstance(decision, Stop):
                self.stop = decision
            else:
                assert decision.seconds == INF
                slot, used = under_way.pop(0)
                self.end(slot, used)
        for slot, used in under_way:
            self.end(slot, used)

    def ask(self, estimate: int, used: int, knows_cost: bool) -> "Slot | Hold | Stop":
        cost = Decimal(estimate) / 1000 if knows_cost else None
        return self.admission.admit(0.0, tokens=estimate, cost=cost, spent=self.spent, failures=0)

    def end(self, slot: Slot, used: int) -> None:
        cost = Decimal(used) / 1000
        self.spent += TotalUsage(input_tokens=used, cost_usd=cost)
        self.admission.end(slot, 1.0, tokens=used, cost=cost)


amounts = st.lists(st.integers(1, 100), min_size=1, max_size=60)


@given(amounts, st.integers(0, 500), st.integers(1, 20), st.sampled_from(["tokens", "cost_usd"]))
def test_with_right_estimates_a_budget_is_kept_exactly(amounts, allowed, concurrency, kind):
    limits = {
        "tokens": BudgetLimits(tokens=allowed),
        "cost_usd": BudgetLimits(cost_usd=Decimal(allowed) / 1000),
    }[kind]
    program = Program(limits, concurrency)
    program.run([(amount, amount) for amount in amounts])
    assert program.spent.total_tokens <= allowed
    if sum(amounts) <= allowed:
        assert program.stop is None
        assert program.spent.requests == len(amounts)
    else:
        assert program.stop == Stop(kind, getattr(limits, kind))
        # It stops only where the next call does not fit.
        assert program.spent.total_tokens + amounts[program.spent.requests] > allowed


@given(st.floats(0.2, 5), st.integers(0, 1000), st.booleans())
def test_wrong_estimates_are_corrected(factor, seed, knows_cost):
    source = random.Random(seed)
    used = [source.randint(80, 120) for _ in range(2000)]
    calls = [(max(1, round(each * factor)), each) for each in used]
    program = Program(BudgetLimits(cost_usd=Decimal(50)), 10)
    program.run(calls, knows_cost=knows_cost)
    assert program.stop == Stop("cost_usd", Decimal(50))
    assert Decimal(49) < program.spent.cost_usd < Decimal("50.5")


@given(st.integers(0, 30), st.integers(1, 20))
def test_requests_are_exact(allowed, concurrency):
    program = Program(BudgetLimits(requests=allowed), concurrency)
    program.run([(1, 1)] * 40)
    assert program.spent.requests == allowed
    assert program.stop == Stop("requests", allowed)


def admit(admission: Admission, now: float = 0.0, failures: int = 0, *, again: bool = False):
    return admission.admit(now, tokens=10, cost=None, spent=NOTHING, failures=failures, again=again)


def test_seconds_stop_a_run_and_no_hold_lasts_longer():
    admission = Admission(100.0, limits=BudgetLimits(seconds=60))
    admission.cool_down(150.0, 1000.0)
    assert admit(admission, 150.0) == Hold(10.0)
    assert admit(admission, 160.0) == Stop("seconds", 60)


def test_failures_stop_a_run_when_there_are_more_than_allowed():
    admission = Admission(0.0, limits=BudgetLimits(failures=2))
    assert isinstance(admit(admission, failures=2), Slot)
    assert admit(admission, failures=3) == Stop("failures", 2)
    assert admit(Admission(0.0, limits=BudgetLimits(failures=0)), failures=1) == Stop("failures", 0)


@pytest.mark.parametrize(
    "limits",
    [
        BudgetLimits(cost_usd=Decimal(0)),
        BudgetLimits(tokens=0),
        BudgetLimits(requests=0),
        BudgetLimits(seconds=0),
    ],
)
def test_a_budget_does_not_stop_retries(limits):
    admission = Admission(0.0, limits=limits)
    assert isinstance(admit(admission, again=True), Slot)
    # What the retry may still use holds calls, or stops them.
    assert isinstance(admit(admission), (Hold, Stop))


def test_few_calls_of_unknown_cost_begin_until_one_has_ended():
    admission = Admission(0.0, limits=BudgetLimits(cost_usd=Decimal(1)))
    slots = [admit(admission) for _ in range(4)]
    assert all(isinstance(slot, Slot) for slot in slots)
    assert admit(admission) == Hold(INF)
    admission.end(slots[0], 1.0, cost=Decimal("0.01"))
    assert isinstance(admit(admission), Slot)
