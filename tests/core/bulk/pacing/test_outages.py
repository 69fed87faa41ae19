"""A gateway that cannot be reached, seen by the attempts of a run."""

from math import inf
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.bulk.pacing.outages import (
    FIRST,
    LONGEST,
    MOST_FAILURES,
    Outages,
    is_reached,
    is_unreachable,
)
from meshapi_core.retries import Outcome

REFUSED = Outcome("POST", "connect")


def outage(outcome: Outcome = REFUSED, *, heard: bool = True) -> Outages:
    outages = Outages()
    if heard:
        outages.hear()
    for _ in range(MOST_FAILURES):
        assert not outages.is_on
        assert not outages.fail(0.0, object(), outcome, 0.5)
    assert outages.is_on
    return outages


def probes(outages: Outages, outcome: Outcome = REFUSED, random: float = 0.5) -> list[float]:
    """When attempts begin until the run ends; each takes a tenth of a second."""
    now, times = 0.0, list[float]()
    while True:
        wait = outages.wait(now)
        assert 0 <= wait <= 30
        now += wait
        slot = object()
        outages.begin(slot)
        times.append(now)
        assert outages.wait(now) == inf
        now += 0.1
        if outages.fail(now, slot, outcome, random):
            return times


@given(st.floats(0, 1, exclude_max=True))
def test_a_few_dozen_attempts_find_out_that_an_outage_lasts(random: float) -> None:
    times = probes(outage(), random=random)
    assert LONGEST <= times[-1] + 0.1 <= LONGEST + 31
    assert len(times) <= 30
    assert times[0] <= 0.5


@pytest.mark.parametrize(
    ("outcome", "heard"), [(REFUSED, False), (Outcome("POST", "verify"), True)]
)
def test_an_address_that_may_be_wrong_is_given_up_early(outcome: Outcome, heard: bool) -> None:
    assert len(probes(outage(outcome, heard=heard), outcome)) == FIRST


def test_a_response_ends_an_outage() -> None:
    outages = outage()
    outages.hear()
    assert not outages.is_on
    assert not outages.listens
    # The next one is as long as the first.
    for _ in range(MOST_FAILURES):
        assert not outages.fail(400.0, object(), REFUSED, 0.5)
    assert outages.lasted(401.0) == 1.0


def test_attempts_that_began_before_are_no_evidence_that_it_lasts() -> None:
    outages = outage(heard=False)
    outages.begin(object())
    for _ in range(100):
        assert not outages.fail(1.0, object(), REFUSED, 0.5)
    assert outages.wait(1.0) == inf


def test_an_attempt_that_was_not_sent_leaves_its_place_to_another() -> None:
    outages, slot = outage(), object()
    outages.begin(slot)
    outages.end(object())
    assert outages.wait(10.0) == inf
    outages.end(slot)
    assert outages.wait(10.0) == 0.0


@given(st.lists(st.sampled_from([None, *"fh"]), max_size=100))
def test_only_failures_in_a_row_are_an_outage(steps: list[Optional[str]]) -> None:
    outages, in_a_row = Outages(), 0
    for step in steps:
        if step == "f":
            outages.fail(0.0, object(), REFUSED, 0.5)
            in_a_row += 1
        elif step == "h":
            outages.hear()
            in_a_row = 0
        else:
            outages.end(object())
        assert outages.is_on == (in_a_row >= MOST_FAILURES)


STAGES: Any = ["pool", "closed", "connect", "verify", "request", "response", "complete"]


@pytest.mark.parametrize("stage", STAGES)
def test_what_was_sent_has_reached_somebody(stage: Any) -> None:
    assert is_unreachable(Outcome("POST", stage)) == (stage in ("connect", "verify"))
    assert is_reached(Outcome("POST", stage)) == (stage in ("request", "response", "complete"))
    assert not is_unreachable(None)
    assert not is_reached(None)
