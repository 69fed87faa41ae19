"""Rate limits in simulated time: a gateway that counts, and a host with calls without end."""

import random
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.bulk import Admission, PerMinute
from support.rate_limits import Gateway, Run

HOUR = 3600.0
TEN_MINUTES = 600.0
# More than the attempts of 20 seconds at the highest limit.
MANY = 500
# What a response says is left is out of date if it comes seconds late. The difference looks like
# the attempts of others, and is left to them: a single minute may have no more than this share.
LATE = 0.9

limits = st.integers(5, 200)
seeds = st.integers(0, 1000)


def waits(seed: int, longest: float = 20.0) -> dict:
    """Latencies of attempts, and by how much the host is late."""
    source = random.Random(seed)
    return {
        "latency": lambda: source.uniform(0.1, longest),
        "late": lambda: source.uniform(0, 0.2),
        "seed": seed,
    }


def check_use(
    run: Run, which: int, limit: int, begin: float, end: float, share: float = 0.95
) -> None:
    ledger = run.gateway.ours[which]
    assert ledger.fullest(begin) <= limit
    # Of so few, one that begins a little later is more than a twentieth.
    few = 1 if limit < 40 else 0
    # What begins in the first burst is missing from the rest of that minute.
    least = floor(share * limit) - few
    assert ledger.emptiest(max(begin, run.first + 60), end) >= least - 1
    for minute in range(int(begin // 60) + 1, int(end // 60)):
        assert ledger.between(60.0 * minute, 60.0 * minute + 60) >= least


@given(limits, seeds, st.booleans(), st.floats(0, 0.3), st.sampled_from([0.2, 2.0, 20.0]))
@pytest.mark.slow
def test_no_minute_has_more_than_the_limit_or_much_less(limit, seed, fixed, fails, longest):
    admission = Admission(0.0, concurrency=MANY, per_minute=PerMinute(requests=limit))
    gateway = Gateway(lambda now: limit, fixed=fixed)
    run = Run(admission, gateway, fails=fails, **waits(seed, longest)).until(TEN_MINUTES)
    assert gateway.refused == 0
    check_use(run, 0, limit, 0.0, TEN_MINUTES, LATE if longest > 2 else 0.95)


@given(limits, limits, seeds, st.booleans())
@pytest.mark.slow
def test_the_limit_of_the_gateway_is_adopted_also_when_it_changes(before, after, seed, fixed):
    half, longest = 300.0, 5.0
    gateway = Gateway(lambda now: before if now < half else after, fixed=fixed, refuses=False)
    admission = Admission(0.0, concurrency=MANY)
    admission.adopt(0.0, {"rpm": {"limit": before, "current": 0}})
    run = Run(admission, gateway, fails=0.05, **waits(seed, longest))
    check_use(run.until(half), 0, before, 0.0, half, LATE)
    run.until(TEN_MINUTES)
    assert admission.per_minute == (after, None)
    # What had begun before the change was heard of is only known to have been too much later.
    heard = half + longest + 1 + 60 / min(before, after)
    assert gateway.ours[0].fullest(heard) <= after
    check_use(run, 0, after, heard + 62, TEN_MINUTES, LATE)


@given(st.floats(0.1, 10), seeds, st.booleans())
@pytest.mark.slow
def test_model_tokens_are_kept_within_5_percent_whatever_the_estimates(factor, seed, fixed):
    limit = 300_000
    source = random.Random(seed)

    def tokens() -> tuple[int, int]:
        actual = source.randint(500, 2500)
        return max(1, round(actual * factor * source.uniform(0.7, 1.3))), actual

    gateway = Gateway(tokens=lambda now: limit, fixed=fixed, refuses=False)
    admission = Admission(0.0, concurrency=MANY, per_minute=PerMinute(tokens=limit))
    run = Run(admission, gateway, tokens=tokens, **waits(seed)).until(TEN_MINUTES)
    ledger = run.gateway.ours[1]
    assert ledger.fullest() <= 1.05 * limit
    # Single amounts are up to 1 % of the limit, and known late; so not every minute is full.
    minutes = [ledger.between(60.0 * minute, 60.0 * minute + 60) for minute in range(1, 10)]
    assert min(minutes) >= 0.9 * limit
    assert sum(minutes) / len(minutes) >= 0.95 * limit


@pytest.mark.slow
@pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "sliding"])
@pytest.mark.parametrize(("before", "after"), [(120, 300), (300, 120)], ids=["up", "down"])
def test_limits_are_kept_over_an_hour_with_failures_and_a_change(fixed, before, after):
    half = HOUR / 2
    gateway = Gateway(lambda now: before if now < half else after, fixed=fixed)
    admission = Admission(0.0, concurrency=MANY, follows=True)
    admission.adopt(0.0, {"requests_per_minute": {"limit": before, "current": 0}})
    run = Run(admission, gateway, fails=0.05, **waits(1)).until(half)
    check_use(run, 0, before, 0.0, half)
    run.until(HOUR)
    assert gateway.refused <= 3
    assert run.in_cool_down == 0
    check_use(run, 0, after, half + 90, HOUR)


@pytest.mark.slow
@pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "sliding"])
@pytest.mark.parametrize("others", [0.4, 0.8, 1.4])
def test_what_others_use_of_the_account_is_left_to_them(fixed, others):
    limit = 120
    gateway = Gateway(lambda now: limit, fixed=fixed, others=lambda now: others)
    admission = Admission(0.0, concurrency=MANY)
    admission.adopt(0.0, {"rpm": {"limit": limit, "current": 0}})
    run = Run(admission, gateway, **waits(2, 5.0)).until(HOUR)
    left = (limit - others * 60) * 60
    assert run.served >= 0.9 * left
    assert gateway.refused <= 0.06 * run.served


@pytest.mark.slow
@pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "sliding"])
@pytest.mark.parametrize("given_limit", [None, 1000])
def test_a_limit_that_nobody_names_is_found_by_what_is_refused(fixed, given_limit):
    limit = 200
    gateway = Gateway(lambda now: limit, fixed=fixed, says=False)
    per_minute = None if given_limit is None else PerMinute(requests=given_limit)
    admission = Admission(0.0, concurrency=50, per_minute=per_minute)
    run = Run(admission, gateway, **waits(3, 1.0)).until(HOUR)
    assert run.served >= 0.95 * limit * 60
    assert gateway.refused <= 0.1 * run.served
    assert run.in_cool_down == 0


@pytest.mark.slow
def test_auto_finds_out_how_many_may_be_under_way():
    admission = Admission(0.0, concurrency="auto", most=64)
    run = Run(admission, Gateway(), **waits(4, 1.0)).until(60.0)
    assert run.most_in_flight == admission.concurrency == 64
