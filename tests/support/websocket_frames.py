"""What a WebSocket server sends, byte by byte as in RFC 6455: the 101, and frames.

Nothing here comes from wsproto, which is part of the code under test.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Optional

from hypothesis import strategies as st

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: Optional[bytes] = None,
    length: Optional[int] = None,
    width: Optional[int] = None,
) -> bytes:
    """Return one frame.

    Args:
        rsv: the three reserved bits, as 0 to 7.
        mask: four bytes, for a masked frame; only a client may send these.
        length: the length in the header, if it is not to be the true one.
        width: bytes of the extended length (2 or 8), if it is not to be the shortest form.
    """
    size = len(payload) if length is None else length
    if width is None:
        width = 0 if size <= 125 else 2 if size <= 0xFFFF else 8
    short = {0: size, 2: 126, 8: 127}[width]
    head = bytes([fin << 7 | rsv << 4 | opcode, (mask is not None) << 7 | short])
    head += size.to_bytes(width, "big") if width else b""
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def text(content: str) -> bytes:
    """Return a text message in one frame."""
    return frame(TEXT, content.encode("utf-8"))


def pieces_of(opcode: int, *payloads: bytes) -> bytes:
    """Return a message with one frame for each payload."""
    last = len(payloads) - 1
    return b"".join(
        frame(CONTINUATION if i else opcode, payload, fin=i == last)
        for i, payload in enumerate(payloads)
    )


def close(code: Optional[int] = None, reason: str = "") -> bytes:
    """Return a Close."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason.encode("utf-8"))


def accept(key: str) -> str:
    """Return the Sec-WebSocket-Accept for a Sec-WebSocket-Key (section 4.2.2)."""
    guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1((key + guid).encode("ascii")).digest()).decode("ascii")


def switch(key: str, changed: Mapping[str, Optional[str]] = {}, *more: tuple[str, str]) -> bytes:
    """Return the head of a 101.

    Args:
        key: the key of the request.
        changed: headers with an unusual value; None leaves a header out.
        more: headers to add, even if they are there already.
    """
    usual: dict[str, Optional[str]] = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept(key),
        "Sec-WebSocket-Protocol": "openai-realtime",
    }
    fields = [(name, value) for name, value in {**usual, **changed}.items() if value is not None]
    lines = [f"{name}: {value}" for name, value in [*fields, *more]]
    head = "\r\n".join(["HTTP/1.1 101 Switching Protocols", *lines, "", ""])
    return head.encode("latin-1")


_messages = st.one_of(
    st.text(max_size=12).map(text),
    st.binary(max_size=12).map(lambda payload: frame(BINARY, payload)),
    st.lists(st.text(max_size=4), min_size=2, max_size=4).map(
        lambda parts: pieces_of(TEXT, *(part.encode("utf-8") for part in parts))
    ),
    st.lists(st.binary(max_size=4), min_size=2, max_size=4).map(
        lambda parts: pieces_of(BINARY, *parts)
    ),
    st.sampled_from(
        [
            '{"type":"session.created"}',
            '{"type":"error","error":{"code":null,"message":"no"}}',
            '{"type":"response.output_audio.delta","delta":"AAEC"}',
        ]
    ).map(text),
)
_control = st.one_of(
    st.binary(max_size=6).map(lambda payload: frame(PING, payload)),
    st.binary(max_size=6).map(lambda payload: frame(PONG, payload)),
)
_closes = st.sampled_from([close(), close(1000), close(1011, "broken"), close(4000, "mine")])

sessions = st.tuples(
    st.lists(st.one_of(_messages, _messages, _control), max_size=6).map(b"".join),
    st.one_of(st.just(b""), _closes),
).map(b"".join)
"""Frames in good order, with or without a Close at the end."""

faults = st.one_of(
    st.sampled_from(
        [
            frame(CONTINUATION, b"a"),
            frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
            frame(TEXT, b"\xff"),
            frame(TEXT, b"a", rsv=4),
            frame(TEXT, b"a", mask=b"abcd"),
            frame(PING, b"a", fin=False),
            frame(PING, bytes(126)),
            frame(3, b"a"),
            frame(CLOSE, b"\x03"),
            close(1005),
            frame(TEXT, b"a", width=2),
            frame(BINARY, length=1 << 62),
        ]
    ),
    st.binary(max_size=12),
)
"""Frames, or what stands in their place, that no server may send."""

streams = st.tuples(sessions, st.one_of(st.just(b""), faults), sessions).map(b"".join)
"""What may come behind a 101: in good order, just beside it, and anything at all."""
