"""How long a program waits for one message of a session: times and messages in, results out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import APITimeoutError, RealtimeMessage
from meshapi_core.realtime import MessageWait

WANTED = RealtimeMessage.of('{"type":"session.updated"}')
OTHER = RealtimeMessage.of('{"type":"response.done"}')

TIMES = st.floats(0, 1e6)


def test_the_message_that_is_wanted_is_taken_however_late_it_comes():
    wait = MessageWait("session.updated", 2.0, 100.0)
    assert wait.end == 102.0
    assert wait.takes(WANTED, 101.0)
    assert wait.takes(WANTED, 1000.0)


def test_others_are_passed_over_until_the_time_is_over():
    wait = MessageWait("session.updated", 2.0, 100.0)
    assert not wait.takes(OTHER, 101.9)
    with pytest.raises(APITimeoutError) as caught:
        wait.takes(OTHER, 102.0)
    said = "no message of type 'session.updated' arrived within 2.0 s"
    assert (caught.value.message, caught.value.phase) == (said, "read")


def test_a_limit_of_0_goes_through_what_is_there_but_not_for_ever():
    wait = MessageWait("session.updated", 0, 100.0)
    assert wait.end == 100.0
    assert not wait.takes(OTHER, 100.0 + MessageWait.LAST_LOOK / 2)
    with pytest.raises(APITimeoutError):
        wait.takes(OTHER, 100.0 + MessageWait.LAST_LOOK)


@given(TIMES)
def test_without_a_limit_it_is_never_over(now: float):
    wait = MessageWait("session.updated", None, 0.0)
    assert wait.end is None
    assert not wait.takes(OTHER, now)


@given(TIMES, TIMES)
def test_only_a_message_that_is_not_wanted_can_be_too_late(timeout: float, now: float):
    wait = MessageWait("session.updated", timeout, 0.0)
    assert wait.takes(WANTED, now)
    try:
        assert not wait.takes(OTHER, now)
    except APITimeoutError:
        assert now >= timeout
