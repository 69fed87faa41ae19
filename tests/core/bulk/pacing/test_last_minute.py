from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.bulk.pacing.last_minute import WINDOW, LastMinute

# Seconds to the next event, and an amount; now and then a long time passes.
pauses = st.one_of(st.floats(0, 2), st.floats(0, 150))
events = st.lists(st.tuples(pauses, st.integers(0, 1000)), max_size=60)
starts = st.floats(0, 1e6)


@given(starts, events)
def test_it_counts_everything_of_the_last_minute_and_nothing_of_long_before(now, events):
    minute, seen = LastMinute(now), []
    for pause, amount in events:
        now += pause
        minute.add(now, amount)
        seen.append((now, amount))
        least = sum(amount for when, amount in seen if now - when < WINDOW)
        most = sum(amount for when, amount in seen if now - when <= WINDOW + 0.5)
        assert least <= minute.total <= most


@given(starts, events, st.integers(0, 5000))
def test_after_the_wait_there_is_room(now, events, most):
    minute = LastMinute(now)
    for pause, amount in events:
        now += pause
        minute.add(now, amount)
    wait = minute.wait(now, most)
    assert (wait == 0) == (minute.total <= most)
    assert wait <= WINDOW + 0.5
    # Not much earlier, either.
    minute.advance(now + wait - 0.01)
    assert wait == 0 or minute.total > most
    minute.advance(now + wait + 1e-6)
    assert minute.total <= most


@given(starts, events, st.floats(0, 100), st.integers(-100, 100))
def test_a_correction_is_forgotten_together_with_what_it_corrects(now, events, pause, difference):
    minute, other = LastMinute(now), LastMinute(now)
    begun = now
    minute.add(now, 100)
    other.add(now, 100 + difference)
    for each, amount in events:
        now += each
        minute.add(now, amount)
        other.add(now, amount)
    minute.advance(now)
    minute.correct(begun, difference)
    for _ in range(4):
        assert minute.total == other.total
        now += pause
        minute.advance(now)
        other.advance(now)
