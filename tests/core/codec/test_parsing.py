"""parsing: JSON as servers write it."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from meshapi_core.codec.decoding import decode
from meshapi_core.codec.parsing import parse
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.types.chat import ChatCompletionChunk, ChatCompletionResponse
from support.structs import json_values

pytestmark = pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")


DECODERS: dict[Any, Any] = {
    kind: msgspec.json.Decoder(kind) for kind in (ChatCompletionResponse, ChatCompletionChunk)
}


@given(json_values)
def test_parse_reads_what_the_standard_library_reads(document):
    assert parse(json.dumps(document).encode()) == document


class TestBytesThatMsgspecRefuses:
    BODY = b'{"id":"a\\ud83d","choices":[{"%s":{"content":"\\ude00\\ud83db"}}]}'

    def test_a_lone_surrogate_is_replaced(self):
        response = decode(self.BODY % b"message", DECODERS[ChatCompletionResponse])
        assert (response.id, response.choices[0].message.content) == ("a\ufffd", "\ufffd\ufffdb")

    def test_of_a_chunk_it_stays_where_the_next_one_may_go_on(self):
        chunk = decode(self.BODY % b"delta", DECODERS[ChatCompletionChunk])
        assert chunk.choices[0].delta.content == "\ude00\ufffdb"

    def test_a_surrogate_pair_is_one_character(self):
        assert parse(b'["\\ud83d\\ude00", "\\ud800"]') == ["\U0001f600", "\ufffd"]

    def test_surrogates_in_keys_are_replaced_too(self):
        assert parse(b'{"\\ud800": {"k": ["\\udfff"]}}') == {"\ufffd": {"k": ["\ufffd"]}}

    def test_invalid_utf8_is_replaced(self):
        assert decode(b'{"id":"\xff!"}', DECODERS[ChatCompletionChunk]).id == "\ufffd!"

    def test_a_byte_order_mark_is_passed_over(self):
        assert parse(b'\xef\xbb\xbf{"a":1}') == {"a": 1}

    def test_a_log_probability_of_minus_infinity_costs_nobody_the_response(self):
        body = b'{"choices":[{"logprobs":{"p":-Infinity},"finish_reason":"stop"}]}'
        response = decode(body, DECODERS[ChatCompletionResponse])
        assert response.choices[0].finish_reason == "stop"
        assert response.choices[0].logprobs == {"p": float("-inf")}

    def test_a_number_beyond_a_double_leaves_the_rest(self):
        response = decode(b'{"id":"x","created":1e400}', DECODERS[ChatCompletionResponse])
        assert (response.id, response.created) == ("x", 0)

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 100_000,
            b'{"unknown":' + b"[" * 100_000,
            b'{"a":' * 100_000,
            b'["\\ud800",' + b"[" * 100_000,
        ],
        ids=["list", "unknown field", "objects", "after a surrogate"],
    )
    def test_deep_nesting_is_the_documented_error(self, body):
        with pytest.raises(ResponseDecodeError):
            parse(body)
        with pytest.raises(ResponseDecodeError):
            decode(body, DECODERS[ChatCompletionChunk])

    @pytest.mark.parametrize("body", [b"", b" ", b"<html>", b'{"a":1}x', b'{"a"', b"nul"])
    def test_what_is_no_json_is_the_documented_error(self, body):
        with pytest.raises(ResponseDecodeError, match="the body is not JSON"):
            parse(body)

    def test_a_message_never_holds_the_body(self):
        with pytest.raises(ResponseDecodeError) as caught:
            parse(b'{"secret": rsk_test_123}')
        assert "rsk_test" not in str(caught.value)

    def test_an_endless_integer_is_a_value_or_the_documented_error(self):
        with contextlib.suppress(ResponseDecodeError):
            assert parse(b'["\\ud800",' + b"9" * 10_000 + b"]")
