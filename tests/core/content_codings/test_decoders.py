import gzip
import sys
import types
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.content_codings import decoded
from meshapi_core.content_codings.decoders import ContentDecoder
from meshapi_core.errors import MeshAPIError
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.signals import END_OF_STREAM
from support.codings import CODERS

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


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    """The pieces between some positions, none of them empty."""
    bounds = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return (data[a:b] for a, b in zip(bounds, bounds[1:]) if a < b)


def all_of(decoder: ContentDecoder, pieces: Iterator[bytes]) -> bytes:
    """The decoded bytes, taken as soon as possible."""
    out = b""
    for data in (*pieces, b""):
        decoder.receive_data(data)
        while True:
            piece = decoder.next_piece()
            if not isinstance(piece, bytes):
                break
            assert piece
            out += piece
    assert piece is END_OF_STREAM
    assert decoder.next_piece() is END_OF_STREAM
    return out


def make_response(body: bytes, coding: str, status: int = 200) -> Response:
    fields = [("content-encoding", coding), ("x-request-id", "req_1"), ("content-length", "7")]
    return Response(status, Headers(fields), body)


@given(codings, payloads, st.lists(st.integers(0, 10_000), max_size=6))
def test_any_payload_in_any_coding_cut_anywhere_comes_out_as_it_was(coding, payload, places):
    name, encode = CODERS[coding]
    data = encode(payload)
    assert all_of(ContentDecoder(name), cut(data, places)) == payload
    assert all_of(ContentDecoder(name), (bytes([byte]) for byte in data[:2000])) == payload or (
        len(data) > 2000
    )


@pytest.mark.parametrize("coding", [*sorted(CODERS), "unknown"])
def test_an_empty_body_is_empty_in_any_coding(coding):
    name = CODERS.get(coding, (coding, None))[0]
    assert decoded(make_response(b"", name), LIMIT).body == b""
    if coding in CODERS:
        assert all_of(ContentDecoder(name), iter(())) == b""


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), st.lists(st.integers(0, 200)))
@pytest.mark.parametrize("coding", ["gzip", *(name for name in CODERS if name == "zstd")])
def test_members_one_after_another_are_one_body(coding, payloads, places):
    name, encode = CODERS[coding]
    body = b"".join(map(encode, payloads)) + b"\0" * 7 + b"\r\n"
    assert all_of(ContentDecoder(name), cut(body, places)) == b"".join(payloads)


@pytest.mark.parametrize("coding", sorted(CODERS))
@pytest.mark.parametrize("rest", [b"garbage", b"\0\0garbage", b"\x1f"])
def test_what_follows_behind_the_end_is_an_error(coding, rest):
    name, encode = CODERS[coding]
    for pieces in ([encode(b"abc") + rest], [encode(b"abc"), rest]):
        with pytest.raises(MeshAPIError, match=name):
            all_of(ContentDecoder(name), iter(pieces))


@pytest.mark.slow
def test_many_small_members_cost_no_more_than_their_bytes():
    """Each hands back the bytes after it: quadratic if these were all the rest."""
    body = gzip.compress(b"") * 50_000
    assert decoded(make_response(body, "gzip"), LIMIT).body == b""


@pytest.mark.parametrize("step", [1, 1000])
def test_a_library_that_limits_nothing_gets_little_at_a_time(monkeypatch, step):
    """Brotli before 1.2, and zstandard."""
    brotli = pytest.importorskip("brotli")
    zstandard = pytest.importorskip("zstandard")

    class Unlimited:
        def __init__(self) -> None:
            self._state = brotli.Decompressor()
            self.is_finished = self._state.is_finished

        def process(self, data: bytes) -> bytes:
            assert len(data) <= 8
            return self._state.process(data)

    old = types.SimpleNamespace(Decompressor=Unlimited, error=brotli.error)
    monkeypatch.setitem(sys.modules, "brotli", old)
    for name in ("compression", "backports"):
        monkeypatch.setitem(sys.modules, name, None)
    payload = bytes(range(256)) * 400
    for name, body in (("br", brotli.compress(payload)), ("zstd", zstandard.compress(payload))):
        pieces = (body[i : i + step] for i in range(0, len(body), step))
        assert all_of(ContentDecoder(name), pieces) == payload
        with pytest.raises(MeshAPIError, match=name):
            all_of(ContentDecoder(name), iter([body[:-2]]))
        with pytest.raises(MeshAPIError, match=name):
            all_of(ContentDecoder(name), iter([body + b"garbage"]))
