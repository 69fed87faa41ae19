from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from meshapi_core.bulk import Admission, Decision, Hold, PerMinute, Slot
from meshapi_core.response_meta import RateLimit, RateLimitHeaders
from meshapi_core.usage import TotalUsage

NOTHING = TotalUsage()
INF = float("inf")


def ask(admission: Admission, now: float, tokens: int = 0, *, again: bool = False) -> Decision:
    return admission.admit(now, tokens=tokens, cost=None, spent=NOTHING, failures=0, again=again)


def begin(admission: Admission, now: float, tokens: int = 0, *, again: bool = False) -> Slot:
    slot = ask(admission, now, tokens, again=again)
    assert isinstance(slot, Slot)
    return slot


def held(admission: Admission, now: float, tokens: int = 0, *, again: bool = False) -> float:
    hold = ask(admission, now, tokens, again=again)
    assert isinstance(hold, Hold)
    return hold.seconds


def headers(
    limit: Optional[int],
    remaining: Optional[int] = None,
    reset: Optional[float] = None,
    tokens: Optional[int] = None,
) -> RateLimitHeaders:
    requests = RateLimit(limit=limit, remaining=remaining, reset=reset)
    return RateLimitHeaders(requests=requests, tokens=RateLimit(limit=tokens), raw={})


# Concurrency


def test_no_more_begin_than_may_be_under_way():
    admission = Admission(0.0, concurrency=2)
    slots = [begin(admission, 0.0), begin(admission, 0.0)]
    assert held(admission, 0.0) == held(admission, 0.0, again=True) == INF
    admission.end(slots[0], 1.0)
    begin(admission, 1.0)
    assert admission.in_flight == admission.concurrency == 2


def test_a_slot_is_given_back_once():
    admission = Admission(0.0, concurrency=2)
    slot = begin(admission, 0.0, 50)
    begin(admission, 0.0)
    admission.end(slot, 1.0)
    admission.end(slot, 1.0)
    assert admission.in_flight == 1


def test_auto_is_halved_once_by_all_that_a_cool_down_refuses():
    admission = Admission(0.0, concurrency="auto")
    slots = [begin(admission, 0.0) for _ in range(4)]
    for slot in slots:
        admission.end(slot, 1.0)
    grown = admission.concurrency
    assert grown > 4
    slots = [begin(admission, 2.0) for _ in range(grown)]
    for slot in slots[:3]:
        admission.end(slot, 3.0, result="limited")
        admission.cool_down(3.0, 5.0)
    assert admission.concurrency == grown // 2
    # Long after that, from an attempt that began before it.
    admission.end(slots[3], 20.0, result="limited")
    assert admission.concurrency == grown // 2
    slot = begin(admission, 20.0)
    admission.end(slot, 21.0, result="limited")
    admission.cool_down(21.0, 5.0)
    assert admission.concurrency == grown // 4


def test_a_cool_down_without_a_refused_attempt_halves_auto_too():
    admission = Admission(0.0, concurrency="auto")
    admission.cool_down(1.0, 5.0)
    admission.cool_down(2.0, 5.0)
    assert admission.concurrency == 2


# Cool-downs


def test_a_cool_down_holds_everything_and_the_longest_counts():
    admission = Admission(0.0)
    begin(admission, 0.0)
    admission.cool_down(1.0, 10.0)
    admission.cool_down(2.0, 3.0)
    assert admission.cooling(2.0) == 9.0
    assert held(admission, 2.0) == held(admission, 2.0, again=True) == 9.0
    begin(admission, 11.0)
    assert admission.cooling(11.0) == 0.0


# Rate limits


def begun(admission: Admission, now: float) -> int:
    """Begin as many attempts as there may be, and return how many."""
    return next(n for n in range(10_000) if not isinstance(ask(admission, now), Slot))


def begun_evenly(admission: Admission, begin: float, end: float) -> int:
    """Begin what may begin, every tenth of a second."""
    return sum(begun(admission, begin + step / 10) for step in range(round((end - begin) * 10)))


def test_ten_seconds_of_the_limit_begin_at_once_and_the_rest_evenly():
    admission = Admission(0.0, per_minute=PerMinute(requests=6000), concurrency=10_000)
    assert 1030 <= begun(admission, 0.0) <= 1040
    begun_evenly(admission, 0, 1)
    # 98 a second, less what began too early.
    for second in range(1, 59):
        assert 75 <= begun_evenly(admission, second, second + 1) <= 90
    begun_evenly(admission, 59, 61)
    for second in range(61, 100):
        assert 96 <= begun_evenly(admission, second, second + 1) <= 99


def test_half_the_limit_begins_at_once_where_the_gateway_says_that_all_of_it_is_left():
    admission = Admission(0.0, concurrency=10_000)
    admission.adopt(0.0, headers(6000, 6000, 60.0))
    assert 2990 <= begun(admission, 0.0) <= 3010


def test_there_is_no_burst_where_others_use_the_account_or_the_gateway_pushes_back():
    used = Admission(0.0, concurrency=10_000)
    used.adopt(0.0, headers(6000, 5000, 60.0))
    assert begun(used, 0.0) <= 60
    refused = Admission(0.0, per_minute=PerMinute(requests=6000), concurrency=10_000)
    slot = begin(refused, 0.0)
    refused.end(slot, 1.0, result="limited")
    assert begun(refused, 200.0) <= 60


def test_there_is_another_burst_after_a_minute_without_any_attempt():
    admission = Admission(0.0, per_minute=PerMinute(requests=6000), concurrency=10_000)
    first = begun(admission, 0.0)
    assert begun(admission, 59.0) + first < 6000
    assert begun(admission, 100.0) <= 60
    assert begun(admission, 161.0) == first


def test_what_is_late_is_caught_up():
    admission = Admission(0.0, per_minute=PerMinute(requests=6000), concurrency=10_000)
    begun_evenly(admission, 0, 70)
    # Of 98 a second, up to 0.6 seconds late.
    assert 48 <= begun(admission, 70.5) <= 60
    # Of 40 seconds, no more than that.
    assert 58 <= begun(admission, 110.0) <= 60


def test_many_short_runs_keep_the_limit_together():
    """As the engines make them: one for each batch."""
    earlier = Admission(0.0, concurrency="auto", per_minute=PerMinute(requests=60))
    now, times = 0.0, []
    for _ in range(200):
        admission = Admission(now, concurrency="auto", per_minute=PerMinute(requests=60))
        admission.go_on(now, earlier)
        while not isinstance(slot := ask(admission, now), Slot):
            now += slot.seconds  # type: ignore[union-attr]
        times.append(now)
        now += 0.01
        admission.end(slot, now)
        earlier = admission
    assert all(late - early >= 60 for early, late in zip(times, times[60:]))
    assert times[-1] < 200 / 0.95


def test_a_run_goes_on_with_the_concurrency_and_the_cool_down_of_an_earlier_one():
    earlier = Admission(0.0, concurrency="auto")
    for _ in range(4):
        earlier.end(begin(earlier, 0.0), 1.0)
    grown = earlier.concurrency
    earlier.cool_down(1.0, 30.0)
    admission = Admission(2.0, concurrency="auto")
    admission.go_on(2.0, earlier)
    assert admission.concurrency == grown // 2
    assert admission.cooling(2.0) == 29.0
    other = Admission(2.0, concurrency=7)
    other.go_on(2.0, earlier)
    assert other.concurrency == 7


def test_what_was_measured_on_another_clock_is_forgotten():
    earlier = Admission(5000.0, per_minute=PerMinute(requests=1))
    begin(earlier, 5000.0)
    admission = Admission(100.0, per_minute=PerMinute(requests=1))
    admission.go_on(100.0, earlier)
    begin(admission, 100.0)


def test_an_amount_above_the_limit_begins_once_nothing_has_begun_for_a_minute():
    admission = Admission(0.0, per_minute=PerMinute(tokens=1000))
    admission.end(begin(admission, 0.0, 10), 1.0, tokens=10)
    wait = held(admission, 1.0, 5000)
    assert 58 < wait < 61
    slot = begin(admission, 1.0 + wait, 5000)
    admission.end(slot, 70.0, tokens=5000)
    # It counts as a minute, not as five.
    after = 70.0 + held(admission, 70.0, 10) - slot.begun
    assert 59 < after < 62


def test_what_turns_out_to_be_used_less_makes_room():
    admission = Admission(0.0, per_minute=PerMinute(tokens=1000))
    slot = begin(admission, 0.0, 1000)
    assert held(admission, 1.0, 500) > 50 or held(admission, 1.0, 500) == INF
    admission.end(slot, 1.0, tokens=10)
    begin(admission, 2.0, 500)


def test_what_was_refused_has_used_no_model_tokens():
    admission = Admission(0.0, per_minute=PerMinute(tokens=1000))
    admission.end(begin(admission, 0.0, 1000), 1.0, result="limited")
    begin(admission, 2.0, 1000)


def test_what_was_lost_counts_as_estimated():
    admission = Admission(0.0, per_minute=PerMinute(tokens=1000))
    admission.end(begin(admission, 0.0, 1000), 1.0, result="lost")
    assert held(admission, 2.0, 1000) > 50


def test_little_is_under_way_until_an_attempt_has_said_what_it_uses():
    admission = Admission(0.0, per_minute=PerMinute(tokens=100_000), concurrency=1000)
    now, slots = 0.0, []
    while True:
        decision = ask(admission, now, 1000)
        if isinstance(decision, Slot):
            slots.append(decision)
        else:
            assert isinstance(decision, Hold)
            if decision.seconds == INF:
                break
            now += decision.seconds
    assert len(slots) == 5
    admission.end(slots[0], now, tokens=1000)
    begin(admission, now + 5, 1000)


def test_attempts_without_an_estimate_do_not_change_the_estimates_of_others():
    admission = Admission(0.0, per_minute=PerMinute(tokens=1000))
    admission.end(begin(admission, 0.0, 0), 0.1, tokens=500)
    admission.end(begin(admission, 40.0, 100), 40.1, tokens=100)
    assert begin(admission, 60.0, 100).charged == 100


def test_the_limits_of_responses_are_adopted():
    admission = Admission(0.0)
    slot = begin(admission, 0.0)
    assert admission.per_minute == (None, None)
    admission.end(slot, 1.0, limits=headers(60, tokens=9000))
    assert admission.per_minute == (60, 9000)


def test_what_an_older_attempt_is_told_is_out_of_date():
    admission = Admission(0.0)
    old, new = begin(admission, 0.0), begin(admission, 1.0)
    admission.end(new, 2.0, limits=headers(60))
    admission.end(old, 3.0, limits=headers(500))
    assert admission.per_minute == (60, None)


def test_what_the_program_gives_wins():
    admission = Admission(0.0, per_minute=PerMinute(requests=100))
    admission.adopt(0.0, headers(60, tokens=9000))
    assert admission.per_minute == (100, 9000)


def test_nothing_is_adopted_if_the_run_does_not_follow():
    admission = Admission(0.0, follows=False)
    admission.adopt(0.0, headers(60))
    assert admission.per_minute == (None, None)


def test_a_limit_per_day_is_not_taken_for_one_per_minute():
    admission = Admission(0.0)
    admission.adopt(0.0, headers(1000, 999, 86.4))
    assert admission.per_minute == (None, None)


@pytest.mark.parametrize("names", [("rpm", "tpm"), ("requests_per_minute", "tokens_per_minute")])
def test_the_limits_of_the_account_are_adopted(names):
    admission = Admission(0.0)
    requests = {"current": 0, "limit": 60, "pct": 0, "resets_in_seconds": 12}
    admission.adopt(0.0, {names[0]: requests, names[1]: {"current": 5, "limit": 900}})
    assert admission.per_minute == (60, 900)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["current", "limit", "resets_in_seconds"]), inner)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["rpm", "tpm", "requests_per_minute"]), json_values))
def test_whatever_the_gateway_says_about_the_account_the_run_goes_on(limits):
    admission = Admission(0.0)
    admission.adopt(0.0, limits)
    for limit in admission.per_minute:
        assert limit is None or limit >= 1
    begin(admission, 61.0)


def follow(ends: "list[tuple[float, float]]", remaining: int) -> Admission:
    """Return an admission to which responses have named times and ends of the limit."""
    admission = Admission(0.0, per_minute=PerMinute(requests=600))
    for now, end in ends:
        admission.adopt(now, headers(600, remaining, end - now))
    return admission


def test_what_is_left_of_a_fixed_window_is_spread_over_it():
    admission = follow([(10.0, 60.0), (15.0, 60.4), (20.0, 59.6)], 2)
    begin(admission, 20.0)
    wait = held(admission, 20.0)
    assert 18 < wait < 20
    begin(admission, 20.0 + wait)
    # Nothing is left.
    assert 20 < held(admission, 39.5) < 21
    begin(admission, 61.0)


def test_the_next_window_is_recognised_at_once():
    admission = follow([(10.0, 60.0), (20.0, 60.0), (70.0, 120.0)], 0)
    assert held(admission, 70.0) == 50.0


def test_an_end_that_moves_along_is_not_that_of_a_window():
    admission = follow([(10.0, 60.0), (20.0, 70.0), (30.0, 80.0)], 0)
    # Others use it all: what is left to us is a twentieth.
    begin(admission, 30.0)
    assert 1 < held(admission, 30.0) < 2


# Retries


def test_a_retry_of_a_large_call_is_not_overtaken_for_ever():
    admission = Admission(0.0, per_minute=PerMinute(tokens=1000))
    now = 0.0
    for _ in range(30):
        while not isinstance(decision := ask(admission, now, 50), Slot):
            now += decision.seconds  # type: ignore[union-attr]
        admission.end(decision, now, tokens=50)
    # Small calls go on being asked for, and the retry too.
    for _ in range(1000):
        if isinstance(ask(admission, now, 800, again=True), Slot):
            break
        assert not isinstance(ask(admission, now, 50), Slot)
        now += 0.1
    else:
        pytest.fail("the retry has never begun")


def test_a_retry_that_is_given_up_is_not_waited_for():
    admission = Admission(0.0, per_minute=PerMinute(requests=60))
    begun(admission, 0.0)
    wait = held(admission, 0.0, again=True)
    assert wait < held(admission, 0.0) < wait + 1.5
    begin(admission, wait + 1.1)


# Everything together


class Life(RuleBasedStateMachine):
    """Whatever happens, an admission keeps its rules and never gets stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.admission: Any = None
        self.slots: list[Slot] = []

    @precondition(lambda self: self.admission is None)
    @rule(
        concurrency=st.one_of(st.just("auto"), st.integers(1, 20)),
        requests=st.one_of(st.none(), st.integers(1, 1000)),
        tokens=st.one_of(st.none(), st.integers(1, 100_000)),
    )
    def make(self, concurrency, requests, tokens):
        given_limit = requests or tokens
        per_minute = PerMinute(requests=requests, tokens=tokens) if given_limit else None
        self.admission = Admission(self.now, concurrency=concurrency, per_minute=per_minute)

    @precondition(lambda self: self.admission is not None)
    @rule(tokens=st.integers(0, 200_000), again=st.booleans())
    def ask(self, tokens, again):
        decision = ask(self.admission, self.now, tokens, again=again)
        if isinstance(decision, Slot):
            assert self.admission.cooling(self.now) == 0
            assert len(self.slots) < self.admission.concurrency
            self.slots.append(decision)
        else:
            assert isinstance(decision, Hold)
            assert decision.seconds > 0
            # Only an end helps, so there must be something that ends.
            assert decision.seconds < INF or self.slots

    @precondition(lambda self: self.slots)
    @rule(
        which=st.integers(0, 1000),
        tokens=st.one_of(st.none(), st.integers(0, 500_000)),
        result=st.sampled_from(["ok", "failed", "limited", "lost"]),
        limit=st.one_of(st.none(), st.integers(0, 1000)),
        remaining=st.one_of(st.none(), st.integers(0, 2000)),
        reset=st.one_of(st.none(), st.floats(0, 100)),
    )
    def end(self, which, tokens, result, limit, remaining, reset):
        slot = self.slots.pop(which % len(self.slots))
        said = headers(limit, remaining, reset, limit)
        self.admission.end(slot, self.now, tokens=tokens, limits=said, result=result)

    @precondition(lambda self: self.admission is not None)
    @rule(seconds=st.floats(0, 100))
    def cool_down(self, seconds):
        self.admission.cool_down(self.now, seconds)

    @rule(seconds=st.one_of(st.floats(0, 1), st.floats(0, 200)))
    def wait(self, seconds):
        self.now += seconds

    @invariant()
    def counts_what_is_under_way(self):
        assert self.admission is None or self.admission.in_flight == len(self.slots)

    def teardown(self):
        if self.admission is None:
            return
        for slot in self.slots:
            self.admission.end(slot, self.now)
        begun = self.now
        while isinstance(decision := ask(self.admission, self.now, 1000), Hold):
            self.now += decision.seconds
            assert self.now < begun + 400


TestLife = Life.TestCase
