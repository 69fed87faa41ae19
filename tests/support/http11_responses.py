"""Strategies for the bytes that a server sends on an HTTP/1.1 connection."""

from hypothesis import strategies as st

_statuses = st.sampled_from([200, 200, 201, 400, 404, 429, 500, 503, 599])
_bodies = st.binary(max_size=30)
_fields = st.lists(
    st.sampled_from([b"Content-Type: text/event-stream", b"X-Request-Id: req_1", b"A:", b"a: b"]),
    max_size=3,
)


def _with_length(status: int, fields: list[bytes], body: bytes) -> bytes:
    return _head(status, [*fields, b"Content-Length: %d" % len(body)]) + body


def _head(status: int, fields: list[bytes]) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 %d Some Reason" % status, *fields, b"", b""])


@st.composite
def _chunked(draw: st.DrawFn, status: int, fields: list[bytes], body: bytes) -> bytes:
    stream = _head(status, [*fields, b"Transfer-Encoding: chunked"])
    for piece in draw(pieces(body)):
        stream += b"%x\r\n%s\r\n" % (len(piece), piece)
    return stream + draw(st.sampled_from([b"0\r\n\r\n", b"000;a=b\r\nX-Sum: 1\r\n\r\n"]))


@st.composite
def _whole(draw: st.DrawFn) -> tuple[bytes, tuple[int, bytes]]:
    status, fields, body = draw(_statuses), draw(_fields), draw(_bodies)
    if draw(st.booleans()):
        return _with_length(status, fields, body), (status, body)
    return draw(_chunked(status, fields, body)), (status, body)


@st.composite
def pieces(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    """Draw the pieces of a stream, cut anywhere; none is empty."""
    cuts = draw(st.sets(st.integers(1, max(1, len(stream) - 1)), max_size=8))
    bounds = [0, *sorted(cuts), len(stream)]
    return [piece for a, b in zip(bounds, bounds[1:]) if (piece := stream[a:b])]


whole = _whole()
"""Responses in good order, each with its status and body."""

_tokens = st.lists(
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.0 200 OK\r\n",
            b"HTTP/1.1 103 Early Hints\r\n\r\n",
            b"HTTP/1.1 101 \r\n",
            b"HTTP/1.1 204 \r\n",
            b"Content-Length: 3\r\n",
            b"Content-Length: 4\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: gzip\r\n",
            b"Connection: close\r\n",
            b"\r\n",
            b"\r\n",
            b"\n",
            b" ",
            b"3\r\nabc\r\n",
            b"0\r\n\r\n",
            b"abc",
            b"\0",
        ]
    ),
    max_size=10,
).map(b"".join)

streams = st.one_of(whole.map(lambda response: response[0]), _tokens, st.binary(max_size=20))
"""Responses in good order, just beside it, and anything at all."""
