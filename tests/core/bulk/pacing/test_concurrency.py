import heapq
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.bulk.pacing.concurrency import Concurrency
from meshapi_core.errors import InvalidParamsError


def rounds(concurrency: Concurrency, count: int, begin: float = 0.0) -> int:
    """Let as many attempts succeed as are allowed, some times; each time takes a second."""
    for second in range(count):
        allowed = concurrency.allowed
        for _ in range(allowed):
            concurrency.succeed(allowed, begin + second + 1)
    return concurrency.allowed


def simulated(
    seconds: float,
    latency: Callable[[random.Random, float], float],
    workers: int = 0,
    seed: int = 0,
) -> tuple[list[int], int]:
    """Return the number allowed after each second, and how many attempts have ended.

    Args:
        seconds: how long it goes on.
        latency: of an attempt that begins at a time.
        workers: how many attempts the gateway works on at once; the others wait. 0 is all.
        seed: for `latency`.
    """
    source, concurrency = random.Random(seed), Concurrency("auto", 1000, 0.0)
    free, under_way = [0.0] * workers, list[float]()
    now, ended, allowed = 0.0, 0, list[int]()
    while now < seconds:
        while len(under_way) < concurrency.allowed:
            begins = heapq.heappop(free) if workers else now
            ends = max(now, begins) + latency(source, now)
            heapq.heappush(under_way, ends)
            if workers:
                heapq.heappush(free, ends)
        now = heapq.heappop(under_way)
        allowed += [concurrency.allowed] * (int(now) - len(allowed))
        ended += 1
        concurrency.succeed(len(under_way) + 1, now)
    return allowed, ended


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "many", None])
def test_concurrency_is_a_number_or_auto(wrong):
    with pytest.raises(InvalidParamsError, match='a whole number, at least 1, or "auto"'):
        Concurrency(wrong, 1000)


@given(st.integers(1, 5000), st.lists(st.booleans()))
def test_a_number_stays_as_it_is(given_number, successes):
    concurrency = Concurrency(given_number, 1000)
    for is_success in successes:
        if is_success:
            concurrency.succeed(concurrency.allowed, 1.0)
        else:
            concurrency.push_back()
    assert concurrency.allowed == given_number


@given(st.integers(1, 1000), st.lists(st.one_of(st.none(), st.integers(1, 1000)), max_size=200))
def test_auto_stays_between_1_and_most(most, steps):
    concurrency = Concurrency("auto", most)
    for now, in_flight in enumerate(steps):
        before = concurrency.allowed
        if in_flight is None:
            concurrency.push_back()
            assert concurrency.allowed in (before // 2, (before + 1) // 2, 1)
        else:
            concurrency.succeed(in_flight, now)
            assert concurrency.allowed <= before + 1
        assert 1 <= concurrency.allowed <= most


def test_auto_doubles_until_the_first_push_back():
    concurrency = Concurrency("auto", 1000)
    assert [rounds(concurrency, 1, second) for second in range(9)] == [
        8,
        16,
        32,
        64,
        128,
        256,
        512,
        1000,
        1000,
    ]


@pytest.mark.parametrize("reached", [64, 128, 1000])
def test_auto_is_back_where_it_was_after_16_times_the_time_of_an_attempt(reached):
    concurrency = Concurrency("auto", reached)
    rounds(concurrency, 8)
    concurrency.push_back()
    assert concurrency.allowed == reached // 2
    assert rounds(concurrency, 8) <= reached * 0.8
    assert rounds(concurrency, 10) >= reached * 0.98


def test_auto_does_not_grow_while_it_is_not_in_use():
    concurrency = Concurrency("auto", 1000)
    for _ in range(100):
        concurrency.succeed(1, 1.0)
    assert concurrency.allowed == 4


def of_a_model(source: random.Random, now: float) -> float:
    """A few seconds; now and then ten times as long."""
    return source.lognormvariate(1, 0.6)


@pytest.mark.parametrize("seed", range(5))
def test_auto_gets_to_hundreds_where_all_attempts_run_at_once(seed):
    allowed, _ = simulated(90, of_a_model, seed=seed)
    assert allowed[45] > 200
    assert allowed[80] == 1000


@pytest.mark.parametrize("workers", [20, 50])
@pytest.mark.parametrize("seed", range(3))
def test_auto_does_not_grow_where_more_attempts_only_wait(workers, seed):
    allowed, ended = simulated(300, of_a_model, workers, seed)
    # All workers have enough to do, and there is no thousand that waits.
    assert ended > 0.9 * 300 * workers / 3.26
    assert sum(allowed) / len(allowed) < 10 * workers
    assert max(allowed) <= 16 * workers


def test_auto_grows_when_attempts_take_longer_than_at_first():
    allowed, _ = simulated(300, lambda source, now: 0.01 if now < 0.05 else 10.0)
    assert allowed[0] < 1000
    assert allowed[290] == 1000
