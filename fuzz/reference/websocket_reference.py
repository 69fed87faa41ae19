"""The frames of a WebSocket server as RFC 6455 words them: slow, literal, and right.

Nothing here is shared with the machine under test: the stream is read from its start, all of it at
once, and a frame is what section 5.2 draws.

Three things are not in the standard, and are marked: the limit on the size of a message, which is
judged as soon as a header announces too much; the limit on control frames; and when a fault is
noticed that is there before the frame is whole.

Source: https://www.rfc-editor.org/rfc/rfc6455 sections 5, 7.4 and 8.1
"""

import codecs
from typing import NamedTuple, Optional, Union

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

MOST_CONTROL_FRAMES = 1_000


class End(NamedTuple):
    """How a connection ends.

    Fields:
        code: of the Close that came, or that a fault asks for.
        word: "connection_closed", "disconnected", or what the fault is.
        reason: of the Close that came.
    """

    code: int
    word: str
    reason: str = ""


BAD_FRAME = End(1002, "bad_frame")
BAD_TEXT = End(1007, "bad_text")
TOO_BIG = End(1009, "message_too_big")
FLOOD = End(1008, "flood")


class Header(NamedTuple):
    """What comes before the payload of a frame.

    Fields:
        size: bytes of the header.
    """

    fin: bool
    opcode: int
    length: int
    size: int


def read(stream: bytes, limit: int, *, ends: bool) -> tuple[list[Union[str, bytes]], Optional[End]]:
    """Return the messages in a stream and how it ends; None where it may go on."""
    messages: list[Union[str, bytes]] = []
    lost = End(1006, "disconnected") if ends else None
    opcode: Optional[int] = None
    payload = b""
    control_frames = 0
    while True:
        header = _header(stream)
        if isinstance(header, End):
            return messages, header
        if header is None:
            return messages, lost
        data = stream[header.size : header.size + header.length]
        whole = len(data) == header.length
        if header.opcode >= CLOSE:
            if not whole:
                return messages, lost
            if header.opcode == CLOSE:
                return messages, _close(data)
            control_frames += 1
            if control_frames > MOST_CONTROL_FRAMES:  # not in the standard
                return messages, FLOOD
        else:
            if len(payload) + header.length > limit:  # not in the standard
                return messages, TOO_BIG
            if not data and not whole:  # noticed with the first byte of the payload
                return messages, lost
            if (header.opcode == CONTINUATION) != (opcode is not None):
                return messages, BAD_FRAME
            if data or (header.opcode == TEXT and header.fin):
                control_frames = 0
            opcode = header.opcode if opcode is None else opcode
            payload += data
            ended = whole and header.fin
            if opcode == TEXT and not _is_text(payload, ended):
                return messages, BAD_TEXT
            if not whole:
                return messages, lost
            if ended:
                messages.append(payload.decode("utf-8") if opcode == TEXT else payload)
                opcode, payload = None, b""
        stream = stream[header.size + header.length :]


def _header(stream: bytes) -> Union[None, End, Header]:
    if len(stream) < 2:
        return None
    fin, rsv, opcode = stream[0] >= 0x80, stream[0] >> 4 & 7, stream[0] & 0x0F
    masked, length, size = stream[1] >= 0x80, stream[1] & 0x7F, 2
    if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        return BAD_FRAME
    if opcode >= CLOSE and not (fin and length <= 125):
        return BAD_FRAME
    if length >= 126:
        least, size = (126, 4) if length == 126 else (0x10000, 10)
        if len(stream) < size:
            return None
        length = int.from_bytes(stream[2:size], "big")
        if not least <= length < 1 << 63:
            return BAD_FRAME
    # Noticed when the length is known.
    return BAD_FRAME if rsv or masked else Header(fin, opcode, length, size)


def _is_text(data: bytes, ended: bool) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, ended)
    except UnicodeDecodeError:
        return False
    return True


def _close(data: bytes) -> End:
    if not data:
        return End(1005, "connection_closed")
    code, reason = int.from_bytes(data[:2], "big"), data[2:]
    registered = code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014)
    if len(data) == 1 or not (registered or 3000 <= code <= 4999):
        return BAD_FRAME
    if not _is_text(reason, True):
        return BAD_TEXT
    return End(code, "connection_closed", reason.decode("utf-8"))
