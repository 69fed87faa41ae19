import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.bulk import PerMinute
from meshapi_core.errors import InvalidParamsError


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "500", float("inf")])
@pytest.mark.parametrize("name", ["requests", "tokens"])
def test_a_limit_is_a_whole_number_of_at_least_1(name, wrong):
    with pytest.raises(InvalidParamsError, match=f"{name}: expected a whole number, at least 1"):
        PerMinute(**{name: wrong})


def test_there_must_be_a_limit():
    with pytest.raises(InvalidParamsError, match="expected requests= or tokens=, got no limit"):
        PerMinute()


def test_unknown_names_are_refused_with_the_name_of_the_class():
    with pytest.raises(InvalidParamsError, match="PerMinute"):
        PerMinute(request=5)  # pyright: ignore[reportCallIssue]


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(1, 1000))
def test_workers_together_keep_the_limit(requests, tokens, workers):
    limit = PerMinute(requests=requests, tokens=tokens)
    if workers > min(requests, tokens):
        with pytest.raises(InvalidParamsError, match="workers: expected at most"):
            limit.divided(workers)
        return
    each = limit.divided(workers)
    assert each.requests is not None
    assert each.tokens is not None
    assert requests - workers < each.requests * workers <= requests
    assert tokens - workers < each.tokens * workers <= tokens


def test_no_limit_stays_none_when_it_is_divided():
    assert PerMinute(tokens=10).divided(3) == PerMinute(tokens=3)


def test_too_many_workers_are_told_the_limit():
    message = "workers: expected at most 3, as the rate limit is 3 requests a minute, got 4"
    with pytest.raises(InvalidParamsError, match=message):
        PerMinute(requests=3).divided(4)


def test_it_pickles():
    limit = PerMinute(requests=5, tokens=100)
    assert pickle.loads(pickle.dumps(limit)) == limit
