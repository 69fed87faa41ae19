"""raw_response: the same call with another result, and what can only be known at once."""

import os
from typing import Any

import pytest

from meshapi_core import (
    APIConnectionError,
    Call,
    Done,
    Exchange,
    MeshAPIConfig,
    RawResponse,
    Response,
    RetryPolicy,
    Send,
    Wait,
    raw_call,
)
from meshapi_core.endpoints import BytesReader, Completions, EmptyReader
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.headers import Headers

TOKEN = "rsk_test_raw_response_canary"
CONFIG = MeshAPIConfig(
    base_url="http://localhost:1", token=TOKEN, retry=RetryPolicy(max_retries=1, initial_delay=0)
)
CREATE = Completions.create.build(model="m", messages=[{"role": "user", "content": "hi"}])
DOWNLOAD = Call(method="GET", path="/v1/x", reader=BytesReader())


def outcome(call: Any, *responses: Response) -> Any:
    """The result of a call that gets these responses, half a second after each other."""
    exchange: Exchange[Any] = Exchange(call, CONFIG, now=10.0, random_bytes=os.urandom)
    now, waiting = 10.0, list(responses)
    while True:
        action = exchange.next_action(now)
        now += 0.5
        if isinstance(action, Done):
            return action.value
        if isinstance(action, Send):
            exchange.receive(waiting.pop(0), now)
        else:
            assert isinstance(action, Wait)
            now += action.seconds


def test_the_request_is_the_same() -> None:
    for call in (CREATE, DOWNLOAD):
        raw = raw_call(call)
        assert (raw.method, raw.path, raw.query, raw.body) == (
            call.method, call.path, call.query, call.body
        )  # fmt: skip
        assert raw.starts_job == call.starts_job
        assert raw.request(CONFIG) == call.request(CONFIG)


def test_the_result_tells_about_the_call() -> None:
    busy = Response(503, Headers({"retry-after": "0"}))
    raw = outcome(raw_call(CREATE), busy, Response(200, Headers(), b'{"id": "a"}'))
    assert type(raw) is RawResponse
    assert (raw.meta.status, raw.meta.attempts) == (200, 2)
    assert raw.meta.elapsed >= 1.0
    assert raw.parse().id == "a"
    assert raw.parse().meta == raw.meta


def test_a_body_that_was_cut_off_is_noticed_at_once_so_that_the_call_is_retried() -> None:
    cut, whole = (Response(200, Headers(), b'{"id": "a"}'[:n], cut=True) for n in (5, 99))
    for call in (CREATE, raw_call(CREATE)):
        if call is CREATE:
            # JSON that is cut off cannot be read, and is not retried; neither is it here.
            with pytest.raises(ResponseDecodeError):
                outcome(call, cut)
        else:
            with pytest.raises(ResponseDecodeError):
                outcome(call, cut).parse()
            assert outcome(call, whole).parse().id == "a"
    # Only its length could tell whether a file is whole.
    rest = Response(200, Headers(), b"all", cut=False)
    part = Response(200, Headers(), b"al", cut=True)
    assert outcome(DOWNLOAD, part, rest) == b"all"
    raw = outcome(raw_call(DOWNLOAD), part, rest)
    assert (raw.parse(), raw.meta.attempts) == (b"all", 2)
    with pytest.raises(APIConnectionError):
        outcome(raw_call(DOWNLOAD), part, part)


def test_a_deletion_counts_whatever_its_body_says() -> None:
    call = Call(method="DELETE", path="/v1/x", reader=EmptyReader())
    raw = outcome(raw_call(call), Response(200, Headers({"content-encoding": "gzip"}), b"\x00"))
    assert raw.parse() is None


def test_no_error_shows_the_token() -> None:
    raw = outcome(raw_call(CREATE), Response(200, Headers(), f"no {TOKEN}".encode()))
    for read in (raw.parse, raw.json):
        with pytest.raises(ResponseDecodeError) as caught:
            read()
        assert TOKEN not in str(vars(caught.value)) + repr(caught.value)
        assert caught.value.__cause__ is None or TOKEN not in repr(caught.value.__cause__)
        assert "***" in caught.value.message
    assert TOKEN not in repr(raw)
