"""The rules of both machines have a function for whatever their tables allow."""

import pytest

from meshapi_core.machines.client_call import ClientCall
from meshapi_core.machines.pipe_call import PipeCall
from meshapi_core.machines.states import CallInput, CallState

KINDS = [PipeCall, ClientCall]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_legal_is_said_once(kind):
    assert kind.transitions is kind._rules.transitions


@pytest.mark.parametrize("kind", KINDS)
def test_each_state_that_is_reached_has_a_step(kind):
    reached = {CallState.READY, CallState.DONE, CallState.FAILED, kind._rules.first}
    for (state, _), ends in kind.transitions.items():
        reached |= {state, *ends}
    assert set(kind._rules.steps) == reached


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_may_fail_has_a_consequence_and_nothing_else(kind):
    may_fail = {state for state, what in kind.transitions if what is CallInput.FAIL}
    assert set(kind._rules.failings) == may_fail


def test_no_input_is_without_a_machine():
    assert {what for kind in KINDS for _, what in kind.transitions} == set(CallInput)
