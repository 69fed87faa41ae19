from typing import Optional

from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.machines.pace import INTERIM_TIMES, TRICKLE, BodyPace, HeadPace

limits = st.floats(0.01, 1000)
pauses = st.lists(st.floats(0, 100), max_size=30)
sizes = st.lists(st.tuples(st.integers(1, 5000), st.floats(0, 100)), max_size=30)


def over(pace: "HeadPace | BodyPace", now: float) -> bool:
    return pace.until is not None and now >= pace.until


# Heads


@given(limits, pauses)
def test_a_head_has_until_its_limit_however_it_trickles(read, times):
    pace = HeadPace(read, 5.0)
    for now in times:
        pace.receive_interim(0, 5.0 + now)
        assert pace.until == 5.0 + read


@given(limits, pauses)
def test_each_interim_response_restarts_the_limit_up_to_a_bound(read, steps):
    now, pace = 5.0, HeadPace(read, 5.0)
    for count, step in enumerate(steps, 1):
        now += step
        if over(pace, now):
            assert step >= read or now >= 5.0 + INTERIM_TIMES * read
            return
        pace.receive_interim(count, now)
        assert pace.until == min(now + read, 5.0 + INTERIM_TIMES * read)
        pace.receive_interim(count, now + 0.5)
        assert pace.until == min(now + read, 5.0 + INTERIM_TIMES * read), "told twice"


def test_a_server_that_says_every_ten_seconds_that_it_works_has_five_minutes():
    pace = HeadPace(60.0, 0.0)
    for count in range(1, 100):
        if over(pace, count * 10.0):
            break
        pace.receive_interim(count, count * 10.0)
    assert count * 10.0 == 300.0


# Bodies


@given(limits, sizes)
def test_a_body_goes_on_as_long_as_it_brings_more_than_a_trickle(read, pieces):
    now, since, start, pace = 0.0, 0, 0.0, BodyPace(read, 0.0, status=200)
    for size, pause in pieces:
        now += pause
        assert over(pace, now) == (now >= start + read)
        pace.receive(size, now)
        since += size
        if since >= TRICKLE:
            since, start = 0, now


@given(limits, sizes, st.sampled_from([301, 400, 429, 500, 599]))
def test_the_body_of_an_error_has_as_long_as_the_limit_whatever_it_brings(read, pieces, status):
    pace = BodyPace(read, 7.0, status=status)
    for size, now in pieces:
        pace.receive(size, 7.0 + now)
        assert pace.until == 7.0 + read


@given(sizes)
def test_without_a_limit_there_is_no_end(pieces):
    none: Optional[float] = None
    head, body = HeadPace(none, 0.0), BodyPace(none, 0.0, status=200)
    for count, (size, now) in enumerate(pieces, 1):
        head.receive_interim(count, now)
        body.receive(size, now)
        assert (head.until, body.until) == (None, None)
