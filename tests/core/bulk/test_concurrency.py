import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.bulk.concurrency import Concurrency
from meshapi_core.errors import InvalidParamsError


def rounds(concurrency: Concurrency, count: int) -> int:
    """Let as many attempts succeed as are allowed, some times."""
    for _ in range(count):
        allowed = concurrency.allowed
        for _ in range(allowed):
            concurrency.succeed(allowed)
    return concurrency.allowed


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "many", None])
def test_concurrency_is_a_number_or_auto(wrong):
    with pytest.raises(InvalidParamsError, match='a whole number, at least 1, or "auto"'):
        Concurrency(wrong, 1000)


@given(st.integers(1, 5000), st.lists(st.booleans()))
def test_a_number_stays_as_it_is(given_number, successes):
    concurrency = Concurrency(given_number, 1000)
    for is_success in successes:
        if is_success:
            concurrency.succeed(concurrency.allowed)
        else:
            concurrency.push_back()
    assert concurrency.allowed == given_number


@given(st.integers(1, 1000), st.lists(st.one_of(st.none(), st.integers(1, 1000)), max_size=200))
def test_auto_stays_between_1_and_most(most, steps):
    concurrency = Concurrency("auto", most)
    for in_flight in steps:
        before = concurrency.allowed
        if in_flight is None:
            concurrency.push_back()
            assert concurrency.allowed in (before // 2, (before + 1) // 2, 1)
        else:
            concurrency.succeed(in_flight)
            assert before <= concurrency.allowed <= before + 1
        assert 1 <= concurrency.allowed <= most


def test_auto_doubles_until_the_first_push_back():
    concurrency = Concurrency("auto", 1000)
    assert [rounds(concurrency, 1) for _ in range(9)] == [8, 16, 32, 64, 128, 256, 512, 1000, 1000]


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
        concurrency.succeed(1)
    assert concurrency.allowed == 4
