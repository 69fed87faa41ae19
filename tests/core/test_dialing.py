"""Happy eyeballs: when which address is tried, which attempt wins, which error is raised."""

from typing import Any, NamedTuple, Optional

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.dialing import AwaitAttempts, Dialed, Dialing, StartAttempt

REFUSED, UNREACHABLE, RESET = (
    ConnectionRefusedError(111, "no"),
    OSError(101, "no"),
    (ConnectionResetError(104, "no")),
)


class Fate(NamedTuple):
    """What happens to an attempt: after how long, and with which error; None connects."""

    after: Optional[float]
    error: Optional[OSError] = None


SILENT = Fate(None)


class Run:
    """A host with a clock that jumps from one event to the next."""

    def __init__(
        self, *fates: Fate, delay: Optional[float] = 0.25, until: Optional[float] = None
    ) -> None:
        self.fates = fates
        self.dialing: Dialing[str] = Dialing(
            [f"address {number}" for number in range(len(fates))], delay=delay, until=until
        )
        self.now = 0.0
        self.started: dict[int, float] = {}
        self.failed: dict[int, float] = {}
        self.ends: dict[int, float] = {}

    def go(self) -> Any:
        """The number of the winner; None if the host would wait for ever."""
        while True:
            action = self.dialing.next_action(self.now)
            if isinstance(action, StartAttempt):
                self._start(action)
            elif isinstance(action, AwaitAttempts):
                if not self._advance(action.until):
                    return None
            else:
                assert self.dialing.next_action(self.now) == action, "and it stays so"
                return action.number

    def _start(self, action: "StartAttempt[str]") -> None:
        assert action.address == f"address {action.number}"
        assert action.number == len(self.started), "in order, each once"
        self.started[action.number] = self.now
        after = self.fates[action.number].after
        if after is not None:
            self.ends[action.number] = self.now + after

    def _advance(self, until: Optional[float]) -> bool:
        assert len(self.started) > len(self.failed), "something is under way"
        number = min(self.ends, key=lambda each: self.ends[each], default=None)
        if number is not None and (until is None or self.ends[number] <= until):
            self.now = max(self.now, self.ends.pop(number))
            error = self.fates[number].error
            if error is None:
                self.dialing.connected(number)
            else:
                self.failed[number] = self.now
                self.dialing.failed(number, error, self.now)
            return True
        if until is None:
            return False
        assert until > self.now, "time goes on"
        self.now = until
        return True


times = st.integers(0, 40).map(lambda number: number / 20)
fates = st.one_of(
    st.just(SILENT),
    st.builds(Fate, times, st.none() | st.sampled_from([REFUSED, UNREACHABLE, RESET])),
)
delays = st.none() | st.sampled_from([0.05, 0.25, 2.0])


@given(st.lists(fates, min_size=1, max_size=6), delays, st.none() | times)
@example([SILENT, Fate(0.1)], 0.25, None)
@example([Fate(0.25, REFUSED), Fate(0.0)], 0.25, 0.25)
def test_whatever_happens_the_rules_hold(given_fates, delay, until):
    run = Run(*given_fates, delay=delay, until=until)
    try:
        winner = run.go()
    except TimeoutError:
        assert until is not None
        assert run.now >= until
        winner = None
    except OSError as exc:
        assert len(run.failed) == len(given_fates), "none is given up early"
        errors = [fate.error for fate in given_fates]
        told = [error for error in errors if isinstance(error, ConnectionError)]
        assert exc is (told or errors)[0]
        return
    for number in range(1, len(run.started)):
        before, begun = run.started[number - 1], run.started[number]
        by_failure = begun in run.failed.values()
        by_delay = delay is not None and begun == before + delay
        assert by_failure or by_delay
    if delay is None:
        # One after the other: all but the last have failed.
        assert len(run.started) - len(run.failed) <= 1
    if winner is None:
        return
    assert given_fates[winner].error is None
    arrived = run.started[winner] + (given_fates[winner].after or 0)
    assert run.now == arrived, "at once"
    for number, begun in run.started.items():
        fate = given_fates[number]
        if fate.error is None and fate.after is not None:
            assert begun + fate.after >= arrived, "no other one was first"


@given(st.lists(fates, min_size=1, max_size=6), st.sampled_from([0.01, 0.25]))
def test_a_silent_address_costs_at_most_one_delay(others, delay):
    """With one more address that is silent, in front, nothing comes later than a delay."""
    with_it, without = Run(SILENT, *others, delay=delay), Run(*others, delay=delay)
    outcomes = []
    for run in (with_it, without):
        try:
            outcomes.append(run.go())
        except OSError:
            outcomes.append(None)
    if outcomes[1] is not None:
        assert outcomes[0] == outcomes[1] + 1
        assert with_it.now == pytest.approx(without.now + delay)


def test_the_first_address_is_tried_at_once_and_the_second_after_the_delay():
    run = Run(SILENT, Fate(0.1))
    assert run.go() == 1
    assert run.started == {0: 0.0, 1: 0.25}
    assert run.now == 0.35


def test_a_failure_starts_the_next_attempt_at_once():
    run = Run(Fate(0.02, REFUSED), Fate(0.02, REFUSED), Fate(0.0))
    assert run.go() == 2
    assert run.started == {0: 0.0, 1: 0.02, 2: 0.04}


def test_a_fast_first_address_is_alone():
    run = Run(Fate(0.2), Fate(0.0))
    assert run.go() == 0
    assert run.started == {0: 0.0}


def test_an_attempt_that_connects_after_another_one_does_not_win():
    dialing: Dialing[str] = Dialing(["a", "b"], delay=0.01, until=None)
    assert dialing.next_action(0.0) == StartAttempt(0, "a")
    assert dialing.next_action(0.01) == StartAttempt(1, "b")
    dialing.connected(1)
    dialing.connected(0)
    assert dialing.next_action(0.02) == Dialed(1)


def test_the_time_limit_holds_even_before_the_first_attempt():
    with pytest.raises(TimeoutError):
        Dialing(["a"], delay=None, until=1.0).next_action(1.0)


def test_an_address_that_refuses_says_more_than_one_without_a_route():
    with pytest.raises(ConnectionRefusedError):
        Run(Fate(0.0, UNREACHABLE), Fate(0.0, REFUSED)).go()


def test_there_is_at_least_one_address():
    with pytest.raises(ValueError, match="at least one"):
        Dialing([], delay=0.25, until=None)
