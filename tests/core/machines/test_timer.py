from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.machines.timer import LAST_WORD, Timer, earliest

times = st.floats(0, 100)
limits = st.none() | times


@given(limits, limits)
def test_the_earlier_of_two_times_is_none_where_neither_comes(one, other):
    both = [each for each in (one, other) if each is not None]
    assert earliest(one, other) == (min(both) if both else None)


@given(limits, limits, times)
def test_a_host_in_time_may_read_until_the_limit(until, last, now):
    timer = Timer()
    if until is None or now < until:
        assert timer.allows_read(until, last, now)
        assert (timer.until, timer.asked, timer.late) == (until, True, False)


@given(times)
def test_a_late_host_that_was_not_reading_gets_no_last_look(now):
    assert not Timer().allows_read(now, None, now)


def test_a_host_that_was_interrupted_may_look_once_more_for_a_moment():
    timer = Timer()
    assert timer.allows_read(1.0, None, 0.0)
    assert timer.allows_read(1.0, None, 5.0)
    assert timer.until == 5.0 + LAST_WORD
    assert not timer.allows_read(1.0, None, 6.0)


def test_that_moment_ends_with_the_time_of_the_whole_call():
    timer = Timer()
    assert timer.allows_read(1.0, 5.5, 0.0)
    assert timer.allows_read(1.0, 5.5, 5.0)
    assert timer.until == 5.5
    timer = Timer()
    assert timer.allows_read(1.0, 5.0, 0.0)
    assert not timer.allows_read(1.0, 5.0, 5.0)


def test_a_time_out_that_comes_early_is_that_of_the_action():
    timer = Timer()
    assert timer.over(3.0) == 3.0
    timer.until = 5.0
    assert timer.over(4.9) == 5.0
    assert timer.over(5.1) == 5.1
