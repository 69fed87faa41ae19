"""Whether refusals are those of one model, and what becomes of its calls."""

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.bulk.pacing import models as module
from meshapi_core.bulk.pacing.models import GIVEN_UP, Models

# What ends, of which model, how long ago it began, and the seconds since the last end.
ends = st.lists(
    st.tuples(
        st.sampled_from(["refused", "served"]),
        st.sampled_from("abc"),
        st.floats(0, 5),
        st.floats(0, 10),
    ),
    max_size=60,
)


def suspect(name: str = "a") -> Models[Any]:
    """Models of which one was refused twice."""
    models: Models[Any] = Models()
    assert models.refuse(name, 0.0, 1.0) == "new"
    models.see("other")
    assert models.refuse(name, 2.0, 3.0) == "account"
    return models


def apart(name: str = "a", now: float = 10.0) -> Models[Any]:
    """Models of which one stands apart."""
    models = suspect(name)
    for _ in range(5):
        models.serve("other", 4.0, 5.0)
    assert models.refuse(name, 6.0, now) == "found"
    return models


@given(ends)
def test_a_model_stands_apart_only_if_others_are_served_meanwhile(given_ends: Any) -> None:
    models: Models[Any] = Models()
    now = 0.0
    # Of each model: what has ended since it was served last, when it began, and when it ended.
    history = list[tuple[str, str, float, float]]()
    for result, name, ago, seconds in given_ends:
        now += seconds
        begun = now - ago
        if result == "served":
            models.serve(name, begun, now)
        elif models.refuse(name, begun, now) == "found":
            refusals = [end for kind, one, _, end in history if (kind, one) == ("refused", name)]
            # It began after another refusal of the same model, which was not the first one.
            earlier = [end for end in refusals if end < begun]
            assert len(earlier) >= 2
            served = [
                one
                for kind, one, start, _ in history
                if kind == "served" and one != name and start > earlier[0]
            ]
            assert len(served) >= 5
        history.append((result, name, begun, now))


@given(ends)
def test_refusals_of_a_single_model_are_the_accounts(given_ends: Any) -> None:
    models: Models[Any] = Models()
    now = 0.0
    for result, _, ago, seconds in given_ends:
        now += seconds
        if result == "served":
            assert not models.serve("a", now - ago, now)
        else:
            assert models.refuse("a", now - ago, now) in ("new", "account")
    assert not models


def test_a_refusal_of_another_model_is_one_of_the_account() -> None:
    models = suspect("a")
    assert not models.may_begin("a", 4.0)
    assert models.refuse("b", 4.0, 5.0) == "new"
    assert models.may_begin("a", 5.0)
    assert not models


def test_a_suspect_that_is_served_is_one_of_many() -> None:
    models = suspect("a")
    models.keep("a", "call", 1)
    models.serve("a", 4.0, 5.0)
    assert models.may_begin("a", 5.0)
    # What was kept goes first.
    assert models.ready(5.0) == "call"
    models.take("a")
    assert not models


def test_a_suspect_waits_until_others_are_served_or_nothing_else_is_to_do() -> None:
    models = suspect("a")
    models.keep("a", "call", 1)
    for _ in range(5):
        assert models.ready(4.0) is None
        assert models.ready(4.0, is_idle=True) == "call"
        models.serve("b", 4.0, 5.0)
    assert models.ready(5.0) == "call"


def test_what_began_before_the_refusal_says_nothing() -> None:
    models = suspect("a")
    for _ in range(20):
        models.serve("b", 3.0, 5.0)
        assert models.refuse("a", 3.0, 5.0) == "account"
    assert not models.may_begin("a", 5.0)
    assert not models.is_apart("a")


def test_it_has_nothing_to_watch_until_there_is_a_refusal_and_after_it_is_served() -> None:
    models: Models[Any] = Models()
    assert not models.is_watching
    models.refuse("a", 0.0, 1.0)
    assert models.is_watching
    models.serve("a", 2.0, 3.0)
    assert not models.is_watching


@given(st.lists(st.floats(0.1, 30), min_size=1, max_size=30))
def test_a_refused_model_is_tried_with_one_call_at_a_time(waits: Any) -> None:
    models, now = apart(), 10.0
    for number, wait in enumerate(waits):
        models.delay("a", now + wait)
        assert not models.may_begin("a", now + 0.99 * wait)
        now += wait
        assert models.may_begin("a", now)
        assert models.begin("a")
        assert not models.may_begin("a", now)
        now += 0.1
        models.end("a")
        assert models.streak("a") == number
        assert models.refuse("a", now - 0.05, now) == "own"
        assert models.may_begin("b", now)


def test_a_model_that_is_back_doubles_in_the_time_of_a_call() -> None:
    models, now = apart(now=10.0), 11.0
    counts = []
    for _ in range(6):
        count = 0
        while models.may_begin("a", now):
            models.begin("a")
            count += 1
        counts.append(count)
        now += 1
        for _ in range(count):
            models.end("a")
            models.serve("a", now - 1, now)
    assert counts == [1, 2, 4, 8, 16, 32]


def test_a_model_is_one_of_many_again_after_a_quiet_minute() -> None:
    models = apart(now=10.0)
    models.serve("a", 20.0, 69.0)
    assert models
    models.keep("a", "call", 1)
    models.serve("a", 20.0, 71.0)
    assert models
    models.take("a")
    models.serve("a", 20.0, 72.0)
    assert not models
    assert not models.is_watching


def test_a_model_is_given_up_after_a_time_and_taken_back_when_it_serves() -> None:
    models = apart(now=10.0)
    models.refuse("a", 11.0, 2.0 + GIVEN_UP)
    assert not models.is_given_up("a")
    models.refuse("a", 11.0, 3.0 + GIVEN_UP)
    assert models.is_given_up("a")
    models.serve("a", 10.5 + GIVEN_UP, 11.0 + GIVEN_UP)
    assert not models.is_given_up("a")


@given(st.lists(st.integers(0, 100), max_size=30), st.lists(st.booleans(), max_size=60))
def test_kept_calls_are_taken_in_order_and_counted(sizes: Any, steps: Any) -> None:
    models = apart()
    kept, waiting = list(enumerate(sizes)), list[Any]()
    for is_kept in steps:
        if is_kept and kept:
            number, size = kept.pop(0)
            models.keep("a", number, size)
            waiting.append(number)
        elif waiting:
            assert models.ready(10.0) == waiting[0]
            assert models.take("a") == waiting.pop(0)
        assert len(models) == len(waiting)
    assert models.take_all("b") == []
    assert models.take_all() == waiting
    assert models.ready(10.0) is None
    assert models.wait(10.0) == inf


@pytest.mark.parametrize("name", ["MOST_KEPT", "MOST_BYTES"])
def test_what_is_kept_is_bounded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, name, 30)
    models = apart()
    while not models.is_full:
        models.keep("a", "call", 3)
    assert len(models) == (30 if name == "MOST_KEPT" else 10)


def test_the_wait_is_until_a_kept_call_may_begin() -> None:
    models = apart()
    models.delay("a", 15.0)
    assert models.wait(10.0) == inf
    models.keep("a", "call", 1)
    assert models.wait(10.0) == 5.0
    # Its time has come: it waits for something else.
    assert models.wait(15.0) == inf
    models.begin("a")
    assert models.wait(10.0) == inf


def test_many_models_are_not_all_watched() -> None:
    models: Models[Any] = Models()
    for number in range(100):
        models.refuse(str(number), 0.0, 1.0)
    for number in range(100):
        for _ in range(3):
            models.refuse(str(number), 0.5, 1.0)
    assert not models
