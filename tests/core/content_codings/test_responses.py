import gzip
import sys
import tracemalloc
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.bodies import PIECE
from meshapi_core.byte_streams import ByteDecoder
from meshapi_core.content_codings.decoders import FREE_SIZE
from meshapi_core.content_codings.responses import MAX_REFUSAL, decoded, decoded_in_part, opened
from meshapi_core.errors import (
    APIConnectionError,
    MeshAPIError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Failure, Response
from meshapi_core.signals import END_OF_STREAM, NEED_DATA
from support.codings import CODERS, bomb

LIMIT = 64 * 1024 * 1024
payloads = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda piece, times: piece * times,
        st.binary(min_size=1, max_size=9),
        st.integers(0, 50_000),
    ),
)
codings = st.sampled_from(sorted(CODERS))


def make_response(body: bytes, coding: str, status: int = 200) -> Response:
    fields = [("content-encoding", coding), ("x-request-id", "req_1"), ("content-length", "7")]
    return Response(status, Headers(fields), body)


@given(codings, payloads.filter(bool), st.data())
def test_any_body_that_is_cut_off_is_an_error(coding, payload, data):
    name, encode = CODERS[coding]
    body = encode(payload)
    size = data.draw(st.integers(1, len(body) - 1))
    with pytest.raises(MeshAPIError, match=name):
        decoded(make_response(body[:size], name), LIMIT)


@given(codings, st.binary(max_size=50))
def test_whatever_the_bytes_are_nothing_else_is_raised(coding, data):
    try:
        decoded(make_response(data, CODERS[coding][0]), LIMIT)
    except MeshAPIError as exc:
        assert CODERS[coding][0] in str(exc)
        assert (exc.status, exc.request_id) == (200, "req_1")


@pytest.mark.parametrize("coding", sorted(CODERS))
@pytest.mark.parametrize("body", [b'{"a":1}', b"data: {}\n\n", b"<html></html>", b"RIFF0000WAVE"])
def test_a_body_that_is_not_in_the_coding_that_it_names_is_an_error_that_names_it(coding, body):
    name = CODERS[coding][0]
    with pytest.raises(
        MeshAPIError, match=f"Content-Encoding: {name}|response \\({name}\\)"
    ) as caught:
        decoded(make_response(body * 9, name), LIMIT)
    assert caught.value.error_code in ("content_coding", "truncated")


@pytest.mark.parametrize("coding", ["compress", "dcb", "exi", "aes128gcm", "x" * 1000])
def test_a_coding_that_is_not_known_is_named(coding):
    with pytest.raises(ResponseDecodeError, match=coding[:50]) as caught:
        decoded(make_response(b"abc", coding), LIMIT)
    assert caught.value.error_code == "content_coding"
    assert caught.value.status == 200


@pytest.mark.parametrize("coding", ["gzip, br", "gzip,gzip", "deflate , gzip"])
def test_two_layers_are_refused_by_name(coding):
    body = gzip.compress(gzip.compress(b"abc"))
    with pytest.raises(ResponseDecodeError, match=coding):
        decoded(make_response(body, coding), LIMIT)


@pytest.mark.parametrize(
    "coding", ["GZIP", " x-gzip ", "identity, gzip", "gzip,", "aws-chunked,gzip"][:5]
)
def test_a_name_of_gzip_is_read_in_any_form(coding):
    assert decoded(make_response(gzip.compress(b"abc"), coding), LIMIT).body == b"abc"


@pytest.mark.parametrize(
    "coding", ["", "identity", "Identity", "UTF-8", "none", "aws-chunked", ","]
)
def test_what_names_no_coding_leaves_the_body_as_it_is(coding):
    whole = make_response(b"abc", coding)
    assert decoded(whole, LIMIT) == whole
    decoder = ByteDecoder(headers=whole.headers)
    assert opened(decoder, whole.headers, 200) is decoder


def test_the_headers_of_a_decoded_response_stay_as_they_came():
    whole = make_response(gzip.compress(b"abc"), "gzip")
    assert decoded(whole, LIMIT).headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("padding", [b"\n", b"\0" * 100_000, b"\r\n \t"])
def test_padding_behind_the_end_is_passed_over(padding):
    assert decoded(make_response(gzip.compress(b"abc") + padding, "gzip"), LIMIT).body == b"abc"


def test_a_checksum_that_does_not_fit_is_an_error():
    body = bytearray(gzip.compress(b"abc" * 100))
    body[-6] ^= 1
    with pytest.raises(ResponseDecodeError, match="gzip"):
        decoded(make_response(bytes(body), "gzip"), LIMIT)


@pytest.mark.slow
@pytest.mark.parametrize("coding", sorted(CODERS))
def test_a_bomb_is_refused_before_it_has_gone_off(coding):
    """64 MiB of zeros."""
    name = CODERS[coding][0]
    body = bomb(coding, 64 * 1024**2)
    tracemalloc.start()
    try:
        with pytest.raises(ResponseDecodeError, match=name) as caught:
            decoded(make_response(body, name), 256 * 1024 * 1024)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.error_code == "response_too_large"
    assert peak < 2 * FREE_SIZE + 64 * PIECE


@pytest.mark.slow
@pytest.mark.parametrize("coding", sorted(CODERS))
def test_a_bomb_in_a_stream_is_given_out_in_bounded_pieces_and_refused(coding):
    name = CODERS[coding][0]
    headers = Headers([("content-encoding", name)])
    decoder = opened(ByteDecoder(headers=headers), headers, 200)
    body = bomb(coding, 64 * 1024**2)
    tracemalloc.start()
    taken = 0
    try:
        with pytest.raises(StreamInterruptedError, match=f"Content-Encoding: {name}"):
            for start in range(0, len(body), PIECE):
                decoder.receive_data(body[start : start + PIECE])
                while True:
                    event = decoder.next_event()
                    if not isinstance(event, bytes):
                        break
                    taken += len(event)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert FREE_SIZE - 4 * PIECE <= taken <= 2 * FREE_SIZE
    assert peak < 16 * 1024 * 1024


def test_a_whole_response_is_limited_in_its_decoded_size():
    body = zlib.compress(bytes(range(256)) * 1000)
    assert len(decoded(make_response(body, "deflate"), 256_000).body) == 256_000
    with pytest.raises(ResponseDecodeError, match="deflate") as caught:
        decoded(make_response(body, "deflate"), 255_999)
    assert caught.value.error_code == "response_too_large"


class TestStreams:
    def open(self, coding: str = "gzip") -> Any:
        headers = Headers([("content-encoding", coding), ("x-request-id", "req_1")])
        return opened(ByteDecoder(headers=headers), headers, 200)

    def drain(self, decoder: Any) -> Any:
        out = b""
        while True:
            event = decoder.next_event()
            if not isinstance(event, bytes):
                return out, event
            out += event

    def test_what_has_come_is_given_out_before_the_end(self):
        packer = zlib.compressobj(wbits=31)
        decoder = self.open()
        decoder.receive_data(packer.compress(b"abc") + packer.flush(zlib.Z_SYNC_FLUSH))
        assert self.drain(decoder) == (b"abc", NEED_DATA)
        decoder.receive_data(packer.flush())
        decoder.receive_data(b"")
        assert self.drain(decoder) == (b"", END_OF_STREAM)
        assert self.drain(decoder) == (b"", END_OF_STREAM)

    def test_one_that_is_cut_off_is_interrupted_after_what_came(self):
        packer = zlib.compressobj(wbits=31)
        decoder = self.open()
        decoder.receive_data(packer.compress(b"abc") + packer.flush(zlib.Z_SYNC_FLUSH))
        decoder.receive_data(b"")
        assert decoder.next_event() == b"abc"
        for _ in range(2):
            with pytest.raises(StreamInterruptedError, match="gzip") as caught:
                decoder.next_event()
        assert caught.value.request_id == "req_1"

    def test_so_is_one_whose_connection_broke(self):
        packer = zlib.compressobj(wbits=31)
        decoder = self.open()
        decoder.receive_data(packer.compress(b"abc") + packer.flush(zlib.Z_SYNC_FLUSH))
        decoder.receive_failure(
            Failure(APIConnectionError("reset", error_code="reset"), "response")
        )
        assert decoder.next_event() == b"abc"
        with pytest.raises(StreamInterruptedError, match="reset"):
            decoder.next_event()

    def test_one_that_never_was_in_its_coding_is_an_error_of_the_response(self):
        decoder = self.open()
        decoder.receive_data(b"data: {}\n\n")
        for _ in range(2):
            with pytest.raises(ResponseDecodeError, match="gzip") as caught:
                decoder.next_event()
        assert (caught.value.status, caught.value.request_id) == (200, "req_1")

    def test_one_that_goes_wrong_midway_is_interrupted(self):
        packer = zlib.compressobj(wbits=31)
        decoder = self.open()
        good = packer.compress(b"abc") + packer.flush(zlib.Z_SYNC_FLUSH)
        decoder.receive_data(good)
        assert self.drain(decoder) == (b"abc", NEED_DATA)
        decoder.receive_data(b"\xff" * 100)
        with pytest.raises(StreamInterruptedError, match="Content-Encoding: gzip"):
            decoder.next_event()

    @pytest.mark.parametrize("coding", ["compress", "gzip, gzip"])
    def test_one_that_can_not_be_decoded_is_refused_at_once(self, coding):
        with pytest.raises(ResponseDecodeError, match=coding) as caught:
            self.open(coding)
        assert (caught.value.status, caught.value.request_id) == (200, "req_1")


class TestRefusals:
    def test_an_error_body_is_decoded(self):
        found, wrong = decoded_in_part(make_response(gzip.compress(b'{"error":"no"}'), "gzip", 429))
        assert (found.body, wrong) == (b'{"error":"no"}', "")

    def test_one_that_was_cut_off_is_as_much_as_can_be_read(self):
        text = bytes(range(32, 127)) * 3
        found, wrong = decoded_in_part(make_response(gzip.compress(text)[:-20], "gzip", 500))
        assert text.startswith(found.body)
        assert found.body
        assert wrong == ""

    def test_one_that_is_text_in_spite_of_its_coding_is_kept_and_the_coding_named(self):
        found, wrong = decoded_in_part(make_response('{"error":"ü"}'.encode(), "gzip", 429))
        assert found.body == '{"error":"ü"}'.encode()
        assert "Content-Encoding: gzip" in wrong

    @pytest.mark.parametrize("coding", ["gzip", "compress", "gzip, br"])
    def test_one_that_can_not_be_read_at_all_leaves_the_reason(self, coding):
        found, wrong = decoded_in_part(make_response(b"\x1f\x9d\x90\xff\0", coding, 503))
        assert found.body == b""
        assert coding in wrong

    def test_its_decoded_size_is_limited(self):
        found, wrong = decoded_in_part(make_response(gzip.compress(bytes(10_000_000)), "gzip", 500))
        assert len(found.body) == MAX_REFUSAL
        assert wrong == ""


@pytest.mark.parametrize(("coding", "package"), [("br", "brotli"), ("zstd", "zstandard")])
def test_a_package_that_is_not_installed_is_named(monkeypatch, coding, package):
    for name in ("brotli", "brotlicffi", "compression", "backports", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ResponseDecodeError, match=f"{coding}.*{package}"):
        decoded(make_response(b"abc", coding), LIMIT)
