"""What the actions of a call say about time."""

import math

from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.machines.actions import Read, Sleep

TIMES = st.floats(0.0, 1e9)


@given(TIMES, TIMES)
def test_what_is_left_is_never_less_than_nothing(until: float, now: float):
    for action in (Read(until=until), Sleep(until=until)):
        assert action.seconds(now) == action.seconds(now, math.inf) == max(0.0, until - now)


def test_where_there_is_no_limit_the_host_says_what_that_is():
    assert Read().seconds(1.0) is None
    assert Read().seconds(1.0, math.inf) == math.inf
    assert Read().seconds(1.0, 0.0) == 0.0
