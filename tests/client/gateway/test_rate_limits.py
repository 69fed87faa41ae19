"""The limits of the local gateway: over HTTP, and with a clock that the tests move."""

import re
from collections.abc import Iterator
from typing import Any, Literal, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import meshapi
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.rate_limits import RateLimits
from meshapi.testing import LocalGateway
from support.chat_calls import COMPLETIONS, ask
from support.gateway_calls import TOKEN, Response, call, get, post

WINDOWS: list[Literal["fixed", "sliding"]] = ["fixed", "sliding"]
QUESTION = ask("Count to 8.")
TOKENS_OF_QUESTION = 11


@pytest.fixture(params=WINDOWS)
def limited(request: pytest.FixtureRequest) -> Iterator[LocalGateway]:
    """A gateway whose clock stands all but still, so that only `advance` moves it."""
    with LocalGateway(
        token=TOKEN,
        words_per_second=0,
        requests_per_minute=3,
        window=request.param,
        clock_speed=1e-6,
    ) as gateway:
        yield gateway


def limit_of(response: Response, unit: str) -> dict[str, Optional[str]]:
    words = ("limit", "remaining", "reset")
    return {word: response.headers[f"x-ratelimit-{word}-{unit}"] for word in words}


def row(gateway: LocalGateway, name: str) -> Any:
    return get(gateway, "/v1/usage/rate-limits").json()["key"][name]


def test_what_exceeds_the_limit_is_refused_until_the_minute_is_over(limited: LocalGateway) -> None:
    for left in (2, 1, 0):
        response = post(limited, COMPLETIONS, QUESTION)
        assert response.status == 200
        assert limit_of(response, "requests")["limit"] == "3"
        assert limit_of(response, "requests")["remaining"] == str(left)
    for _ in range(2):
        refused = post(limited, COMPLETIONS, QUESTION)
        assert refused.code == (429, "rate_limit_exceeded")
        assert limit_of(refused, "requests")["remaining"] == "0"
        assert int(refused.headers["retry-after"]) == refused.error["retry_after_seconds"] >= 1
    limited.advance(60)
    assert limit_of(post(limited, COMPLETIONS, QUESTION), "requests")["remaining"] == "2"


def test_the_usage_agrees_with_the_headers(limited: LocalGateway) -> None:
    response = post(limited, COMPLETIONS, QUESTION)
    told = row(limited, "requests_per_minute")
    assert (told["current"], told["limit"], told["pct"]) == (1, 3, 33)
    assert limit_of(response, "requests")["remaining"] == str(told["limit"] - told["current"])
    assert row(limited, "tokens_per_minute") == {
        "current": TOKENS_OF_QUESTION,
        "limit": None,
        "pct": 0,
    }
    assert row(limited, "requests_per_day")["current"] == 1


def test_only_what_is_charged_for_counts(limited: LocalGateway) -> None:
    for _ in range(5):
        assert get(limited, "/v1/models").status == 200
        assert call(limited, "POST", COMPLETIONS, QUESTION, token="rsk_test_other").status == 401
    assert row(limited, "requests_per_minute")["current"] == 0


def test_tokens_are_limited_too(limited: LocalGateway) -> None:
    limited.requests_per_minute = None
    limited.tokens_per_minute = 3 * TOKENS_OF_QUESTION - 1
    for left in (2 * TOKENS_OF_QUESTION - 1, TOKENS_OF_QUESTION - 1):
        response = post(limited, COMPLETIONS, QUESTION)
        assert limit_of(response, "tokens")["remaining"] == str(left)
        assert response.headers["x-ratelimit-limit-requests"] is None
    assert post(limited, COMPLETIONS, QUESTION).code == (429, "rate_limit_exceeded")
    told = row(limited, "tokens_per_minute")
    assert told["current"] == 2 * TOKENS_OF_QUESTION
    # The refused one counts for nothing.
    assert row(limited, "requests_per_minute")["current"] == 2
    # What needs less still fits.
    assert post(limited, COMPLETIONS, ask("Count to 2.")).status == 200


@pytest.mark.parametrize(
    ("path", "body", "tokens"),
    [
        (COMPLETIONS, {**QUESTION, "stream": True}, TOKENS_OF_QUESTION),
        ("/v1/responses", {"input": "Count to 8."}, TOKENS_OF_QUESTION),
        ("/v1/responses", {"input": "Count to 8.", "background": True}, TOKENS_OF_QUESTION),
        ("/v1/embeddings", {"input": ["one two", "three"]}, 3),
    ],
)
def test_tokens_of_each_endpoint_count(
    limited: LocalGateway, path: str, body: dict[str, Any], tokens: int
) -> None:
    assert post(limited, path, body).status == 200
    assert row(limited, "tokens_per_minute")["current"] == tokens
    limited.tokens_per_minute = tokens
    assert post(limited, path, body).code == (429, "rate_limit_exceeded")


def test_a_request_that_never_fits_is_told_so(limited: LocalGateway) -> None:
    limited.tokens_per_minute = TOKENS_OF_QUESTION - 1
    refused = post(limited, COMPLETIONS, QUESTION)
    assert refused.code == (429, "rate_limit_exceeded")
    assert f"needs {TOKENS_OF_QUESTION} model tokens" in refused.error["message"]
    assert refused.headers["retry-after"] is None


def test_limits_change_while_it_runs(limited: LocalGateway) -> None:
    for _ in range(3):
        post(limited, COMPLETIONS, QUESTION)
    limited.requests_per_minute = 2
    refused = post(limited, COMPLETIONS, QUESTION)
    assert refused.status == 429
    assert limit_of(refused, "requests")["remaining"] == "0"
    limited.requests_per_minute = 4
    assert post(limited, COMPLETIONS, QUESTION).status == 200
    limited.requests_per_minute = None
    assert limited.requests_per_minute is None
    assert post(limited, COMPLETIONS, QUESTION).status == 200
    post(limited, COMPLETIONS, QUESTION)
    limited.reset()
    assert post(limited, COMPLETIONS, QUESTION).headers["x-ratelimit-remaining-requests"] == "2"
    assert limited.tokens_per_minute is None


def test_without_limits_no_header_speaks_of_them(gateway: LocalGateway) -> None:
    assert gateway.requests_per_minute is gateway.tokens_per_minute is None
    response = post(gateway, COMPLETIONS, QUESTION)
    assert not [name for name in response.headers if name.startswith("x-ratelimit")]
    assert row(gateway, "requests_per_minute") == {"current": 1, "limit": None, "pct": 0}


@pytest.mark.slow
def test_a_fast_clock_makes_short_minutes() -> None:
    """A client that waits as long as it is told gets through."""
    with LocalGateway(TOKEN, 0, requests_per_minute=2, clock_speed=600) as gateway:
        messages = [{"role": "user", "content": "Hi"}]
        with meshapi.MeshAPI(base_url=gateway.url, token=TOKEN, max_retries=50) as client:
            for _ in range(6):
                assert client.chat.completions.create(messages=messages).text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"requests_per_minute": 0}, "requests_per_minute: expected a whole number of 1 or more"),
        ({"tokens_per_minute": 1.5}, "tokens_per_minute: expected a whole number of 1 or more"),
        ({"tokens_per_minute": True}, "tokens_per_minute: expected a whole number of 1 or more"),
        ({"window": "moving"}, 'window: expected "fixed" or "sliding", got \'moving\''),
        ({"clock_speed": 0}, "clock_speed: expected more than 0, got 0"),
        ({"clock_speed": float("nan")}, "clock_speed: expected more than 0, got nan"),
    ],
)
def test_wrong_limits_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        LocalGateway(**arguments)


def test_a_clock_does_not_go_back(gateway: LocalGateway) -> None:
    with pytest.raises(ValueError, match=r"^seconds: expected 0 or more, got -1$"):
        gateway.advance(-1)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.01, 0.09, 1.0, 7.5, 59.9, 60.0, 61.0]),
        st.integers(1, 12),
    ),
    max_size=60,
)


@pytest.mark.slow
@given(steps=STEPS, window=st.sampled_from(WINDOWS), speed=st.sampled_from([1.0, 60.0]))
@settings(deadline=None)
def test_no_minute_has_more_than_the_limit(
    steps: list[tuple[float, int]], window: Literal["fixed", "sliding"], speed: float
) -> None:
    """And whoever waits as long as it is told is admitted."""
    clock = Clock()
    limits = RateLimits(None, 10, window, speed, clock)
    admitted: list[tuple[float, int]] = []
    for pause, amount in steps:
        clock.now += pause / speed
        now = (clock.now - 1000.0) * speed
        try:
            limits.spend(amount)
        except GatewayError as refusal:
            wait = refusal.error.get("retry_after_seconds")
            assert (wait is None) == (amount > 10)
            if wait is not None:
                # Sums of times lose their last digits.
                clock.now += wait + 1e-6
                limits.spend(amount)
                admitted.append(((clock.now - 1000.0) * speed, amount))
        else:
            admitted.append((now, amount))
    for begin, _ in admitted:
        if window == "fixed":
            begin = begin // 60 * 60
        used = sum(amount for at, amount in admitted if begin <= at < begin + 59.999)
        assert used <= 10


@pytest.mark.slow
@given(gaps=st.lists(st.floats(0, 5), max_size=300))
@settings(deadline=None)
def test_a_sliding_window_counts_what_the_last_minute_had(gaps: list[float]) -> None:
    clock = Clock()
    limits = RateLimits(clock=clock)
    times: list[float] = []
    for gap in gaps:
        clock.now += gap
        times.append(clock.now)
        limits.admit()
        current = limits.rows()["requests_per_minute"]["current"]
        # Up to one slot more than the last minute.
        least = sum(clock.now - at < 59.999 for at in times)
        most = sum(clock.now - at < 60.101 for at in times)
        assert least <= current <= most
