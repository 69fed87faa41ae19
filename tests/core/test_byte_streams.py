import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.byte_streams import ByteDecoder
from meshapi_core.errors import (
    APIConnectionError,
    APITimeoutError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Failure
from meshapi_core.signals import END_OF_STREAM, NEED_DATA

HEADERS = Headers([("X-Request-Id", "req_1")])


def drained(decoder: ByteDecoder) -> list[bytes]:
    """The pieces up to the first NEED_DATA, or the end."""
    pieces = []
    while True:
        event = decoder.next_event()
        if not isinstance(event, bytes):
            return pieces
        pieces.append(event)


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=6), st.integers(0, 6))
def test_what_comes_is_given_out_in_order_piece_by_piece(pieces, looks):
    decoder = ByteDecoder(headers=HEADERS)
    found = []
    for number, piece in enumerate(pieces):
        decoder.receive_data(piece)
        if number % (looks + 1) == 0:
            found += drained(decoder)
    found += drained(decoder)
    assert found == pieces
    assert decoder.next_event() is NEED_DATA
    decoder.receive_data(b"")
    assert decoder.next_event() is END_OF_STREAM
    assert decoder.next_event() is END_OF_STREAM


def test_an_empty_body_has_no_pieces():
    decoder = ByteDecoder(headers=HEADERS)
    decoder.receive_data(b"")
    assert decoder.next_event() is END_OF_STREAM


def test_what_comes_after_the_end_is_not_looked_at():
    decoder = ByteDecoder(headers=HEADERS)
    decoder.receive_data(b"")
    decoder.receive_data(b"more")
    decoder.receive_failure(Failure(APIConnectionError("it broke"), "response"))
    assert decoder.next_event() is END_OF_STREAM


def test_a_body_that_breaks_off_gives_what_came_and_then_an_error_for_ever():
    decoder = ByteDecoder(headers=HEADERS)
    decoder.receive_data(b"abc")
    cause = APIConnectionError("it broke", error_code="truncated")
    decoder.receive_failure(Failure(cause, "response"))
    decoder.receive_data(b"never")
    assert decoder.next_event() == b"abc"
    for _ in range(2):
        with pytest.raises(StreamInterruptedError, match="after 3 bytes: it broke") as caught:
            decoder.next_event()
    assert caught.value.__cause__ is cause
    assert caught.value.request_id == "req_1"
    assert caught.value.partial is None


@pytest.mark.parametrize(
    "failure",
    [
        Failure(APITimeoutError("too slow", phase="idle"), "response"),
        Failure(APIConnectionError("closed", error_code="client_closed"), "closed"),
    ],
)
def test_a_timeout_and_a_closed_client_are_not_interruptions(failure):
    decoder = ByteDecoder(headers=HEADERS)
    decoder.receive_failure(failure)
    with pytest.raises(type(failure.error)) as caught:
        decoder.next_event()
    assert caught.value is failure.error
    assert caught.value.request_id == "req_1"


def test_headers_and_status_are_at_hand():
    decoder = ByteDecoder(headers=HEADERS, status=206)
    assert (decoder.headers, decoder.status, decoder.request_id) == (HEADERS, 206, "req_1")
    assert ByteDecoder(headers=Headers()).request_id == ""


@pytest.mark.parametrize("kind", ["application/json", "Text/HTML; charset=utf-8", "a/b+json"])
def test_a_document_is_no_audio(kind):
    """An error with a status of 200 was returned as audio."""
    headers = Headers([("content-type", kind), ("x-request-id", "req_1")])
    decoder = ByteDecoder(headers=headers, documents=False)
    decoder.receive_data(b'{"error":{}}')
    for _ in range(2):
        with pytest.raises(ResponseDecodeError) as caught:
            decoder.next_event()
        assert (caught.value.error_code, caught.value.request_id) == ("parse_error", "req_1")
    assert ByteDecoder(headers=headers).next_event() is NEED_DATA
