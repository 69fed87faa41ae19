"""Wrong arguments of `meshapi.testing` are refused where they are written."""

from collections.abc import Callable
from typing import Any

import pytest

from meshapi.testing import FakeGateway, chunks, close, completion, error

ROWS: list[tuple[Callable[[FakeGateway], Any], str]] = [
    (lambda _: FakeGateway(cut="7"), "cut: expected a whole number"),  # type: ignore[arg-type]
    (lambda _: FakeGateway(cut=0), "cut: expected 1 or more, got 0"),
    (lambda g: g.advance("3"), "seconds: expected a number of seconds"),  # type: ignore[arg-type]
    (lambda g: g.advance(-1), "seconds: expected 0 or more, got -1"),
    (lambda g: g.next_error("429"), "status: expected a whole number, got '429'; write 429"),  # type: ignore[arg-type]
    (lambda g: g.next_error(429, count="2"), "count: expected a whole number"),  # type: ignore[arg-type]
    (lambda g: g.next_error(429, count=0), "count: expected 1 or more, got 0"),
    (lambda g: g.on(5, "hi"), "response: expected reply"),  # type: ignore[arg-type]
    (lambda _: completion(5), "text: expected a text"),  # type: ignore[arg-type]
    (lambda _: chunks(5), r"texts\[0\]: expected a text"),  # type: ignore[call-overload]
    (lambda _: chunks("a", cut=0), "cut: expected 1 or more bytes"),
    (lambda _: chunks("a", cut="7"), "cut: expected 1 or more bytes"),  # type: ignore[call-overload]
    (lambda _: error("429"), "status: expected a whole number"),  # type: ignore[arg-type]
    (lambda _: close("1000"), "code: expected a close code"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "message"), ROWS, ids=range(len(ROWS)))
def test_a_wrong_argument_is_named(call: Callable[[FakeGateway], Any], message: str) -> None:
    with FakeGateway() as gateway, pytest.raises((TypeError, ValueError), match=message):
        call(gateway)


def test_limits_can_be_set_at_any_time() -> None:
    with FakeGateway() as gateway:
        gateway.requests_per_minute, gateway.tokens_per_minute = 1, 100
        assert (gateway.requests_per_minute, gateway.tokens_per_minute) == (1, 100)


def test_there_is_a_fixture_for_it(meshapi_fake_gateway: FakeGateway) -> None:
    with meshapi_fake_gateway.client() as client:
        assert client.models.list()
