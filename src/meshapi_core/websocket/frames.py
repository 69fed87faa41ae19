"""WebSocket frames: turns received bytes into messages, and messages into bytes.

Theory of operation. wsproto reads and writes the frames and checks their form: opcodes, masks,
lengths, the order of fragments, UTF-8. `FrameReader` adds what wsproto leaves to its user:

- a limit on the size of a message, checked against the header of a frame, before its payload has
  arrived;
- limits on frames that carry nothing: control frames, and fragments without a byte;
- a fast path for a text message that is in one frame and has fully arrived, as nearly all are;
- one kind of error for everything that the peer gets wrong: a `Fault`, which ends the connection.

`FrameWriter` masks faster than wsproto: all messages if it is given a function for that, else the
short ones. It leaves the rest to wsproto. There is no compression (RFC 7692) in either direction:
wsproto inflates without a limit, and audio in base64 gains little.

This module uses parts of wsproto that its documentation does not cover: `frame_protocol` instead of
`connection`. The latter has no limits, and shows nothing of a frame before its payload, not even
the length by which a message is refused in time. The attributes used are `buffer.buffer`, `header`
and `payload_consumed` of `FrameDecoder`, and `opcode` of `MessageDecoder`. They are the same in
wsproto 1.2 and 1.3, `pyproject.toml` asks for a version below 2, and a test names those that a new
version lacks.

Source: https://www.rfc-editor.org/rfc/rfc6455#section-5, https://python-hyper.org/projects/wsproto
"""

from collections.abc import Callable
from typing import Optional, Union, cast

from typing_extensions import TypeAlias
from wsproto.frame_protocol import (
    CloseReason,
    Frame,
    FrameDecoder,
    FrameProtocol,
    MessageDecoder,
    Opcode,
    ParseFailed,
)

from meshapi_core.growing import GrowingText
from meshapi_core.signals import NEED_DATA, NeedData
from meshapi_core.websocket.closing import NO_CODE, Closed, Fault, read_close

__all__ = ["MAX_MESSAGE_SIZE", "ApplyMask", "FrameReader", "FrameWriter"]

ApplyMask: TypeAlias = Callable[[bytes, bytes], bytes]
"""Takes data and a key of 4 bytes; returns the data, each byte XORed with the key's bytes in turn
(section 5.3)."""

MAX_MESSAGE_SIZE = 64 * 1024 * 1024
"""The default limit for one message, in bytes: 15 minutes of 24 kHz PCM16 in base64."""

# Pings that wait for their pong. Their payloads are 125 bytes at most, so 2 KiB together.
_MOST_PINGS = 16

# Frames between two ticks of the timer, or two messages. Real peers send a few.
_MOST_CONTROL_FRAMES = 1_000
_MOST_EMPTY_FRAMES = 10_000

# Section 5.2. First byte of a frame: FIN and the opcode for text, or for binary. Then the values of
# the 7-bit length that announce a length in two bytes, or in eight.
_WHOLE_TEXT = 0x81
_WHOLE_BINARY = 0x82
_TWO_BYTES = 126
_EIGHT_BYTES = 127

# The MASK bit of a frame's second byte.
_MASKED = 0x80

# Bytes of a message up to which masking it as one number is faster than wsproto: 2.0 against
# 6.4 us for 20 bytes, 3.4 against 5.6 for 1 KiB, the same for 4 KiB (CPython 3.11).
_SHORT = 4096

# "All control frames MUST have a payload length of 125 bytes or less" (section 5.5).
_LONGEST_PING = 125


class FrameReader:
    """Turns received bytes into messages; collects pings on the way, and finds the end.

    Args:
        max_message_size: the most bytes of one message; a larger one is a fault.

    Attributes:
        pings: payloads of the pings that wait for their pong, the oldest first. Always the same
            list; a `FrameWriter` empties it.
        has_more: whether `next_message` stopped at its limit of frames, with data left to read.
        lost: the end to return once all received data has been read; None while input goes on.
    """

    def __init__(self, max_message_size: int) -> None:
        self.pings: list[bytes] = []
        self.lost: Optional[Closed] = None
        self._max_message_size = max_message_size
        self._ignores_messages = False
        self.drop()

    def drop(self) -> None:
        """Forget everything that was received."""
        self.pings.clear()
        self.has_more = False
        self._decoder = FrameDecoder(client=True, extensions=[])
        self.receive_data = self._decoder.receive_bytes
        # The decoder's own buffer: the same object for as long as the decoder lives.
        self._received = self._decoder.buffer.buffer
        self._fragments = MessageDecoder()
        self._text = GrowingText()
        self._binary = bytearray()
        # How many bytes of the unfinished message have arrived.
        self._size = 0
        self.tick()

    def tick(self) -> None:
        """Reset the counts of control frames and of empty frames: an interval has passed."""
        self._control_frames = self._empty_frames = 0

    def ignore(self) -> None:
        """Skip messages and pings from now on; only the end still matters."""
        self._ignores_messages = True

    def next_message(self, frames: Optional[int]) -> Union[str, bytes, Closed, NeedData]:
        """Return the next message, or the end of the connection; do not call it after that.

        The end is clean if the peer sent a Close. Its code is 1006 if input broke off; if the peer
        broke the rules, it is the code to send to it.

        Args:
            frames: as for `WebSocketConnection.next_message`.
        """
        received, decoder, fragments = self._received, self._decoder, self._fragments
        self.has_more = False
        try:
            # wsproto would find nothing in an empty buffer, too, but more slowly.
            while received:
                if frames is not None:
                    if frames == 0:
                        self.has_more = True
                        return NEED_DATA
                    frames -= 1
                message: Union[None, str, bytes, Closed] = None
                # The fast path is only right between messages: neither inside a frame that wsproto
                # has begun, nor between the fragments of a message (section 5.4).
                if decoder.header is None and fragments.opcode is None:
                    message = self._text_at_once()
                if message is None:
                    frame = decoder.process_buffer()
                    if frame is None:
                        # The payload is not complete, but its announced length may be too much.
                        self._check_size()
                        break
                    is_control = frame.opcode.iscontrol()
                    message = self._control(frame) if is_control else self._assemble(frame)
                if message is not None and (
                    not self._ignores_messages or isinstance(message, Closed)
                ):
                    return message
        except Fault as fault:
            return fault.closed
        except ParseFailed as failed:
            return _fault(failed).closed
        return self.lost or NEED_DATA

    def _text_at_once(self) -> Optional[str]:
        """Return the next message if it is a text in one frame that has fully arrived, else None.

        The result is what wsproto would make of it, without the work that other frames need.
        Anything unusual stays in the buffer, for wsproto to judge.
        """
        data = self._received
        length = len(data)
        if length < 2 or data[0] != _WHOLE_TEXT:
            return None
        size, start = data[1], 2
        if size == _TWO_BYTES:
            size, start = int.from_bytes(data[2:4], "big"), 4
            if size < _TWO_BYTES:
                # Section 5.2: "the minimal number of bytes MUST be used". Or a byte is missing.
                return None
        elif size > _TWO_BYTES:
            # A length in eight bytes, or the MASK bit, which a server must not set (section 5.1).
            return None
        end = start + size
        if length < end or size > self._max_message_size:
            return None
        try:
            text = str(data[start:end], "utf-8")
        except UnicodeDecodeError:
            return None
        del data[:end]
        self._control_frames = self._empty_frames = 0
        return text

    def _check_size(self) -> None:
        """Raise if a message is too large: what has arrived of it, and what its frame announces."""
        size, header = self._size, self._decoder.header
        if header is not None and not header.opcode.iscontrol():
            size += header.payload_len - self._decoder.payload_consumed
        limit = self._max_message_size
        if size > limit:
            # Section 7.4.1: 1009 is "a message that is too big for it to process".
            raise Fault(1009, f"a message of more than {limit} bytes", "message_too_big")

    def _assemble(self, frame: Frame) -> Union[None, str, bytes]:
        """Add a part of a message; return the message if this was its last part (section 5.4)."""
        self._size += len(frame.payload)
        self._check_size()
        # wsproto hands over the payload of a long frame in pieces: the message ends with the last
        # piece of the frame that has FIN.
        ends = frame.frame_finished and frame.message_finished
        if frame.payload:
            self._control_frames = self._empty_frames = 0
        elif not ends:
            self._empty_frames += 1
            if self._empty_frames > _MOST_EMPTY_FRAMES:
                raise _flood("empty frames")
        part = self._fragments.process_frame(frame)
        if part.opcode is Opcode.TEXT:
            self._text.add(cast("str", part.payload))
        else:
            self._binary += cast("bytes", part.payload)
        return self._whole(part.opcode) if ends else None

    def _whole(self, opcode: Opcode) -> Union[str, bytes]:
        self._size = 0
        if opcode is Opcode.TEXT:
            text = self._text.value() or ""
            self._text.clear()
            return text
        binary, self._binary = bytes(self._binary), bytearray()
        return binary

    def _control(self, frame: Frame) -> Optional[Closed]:
        payload = cast("bytes", frame.payload)
        if frame.opcode is Opcode.CLOSE:
            return read_close(payload)
        self._control_frames += 1
        if self._control_frames > _MOST_CONTROL_FRAMES:
            raise _flood("control frames")
        # Section 5.5.3: "A response to an unsolicited Pong frame is not expected."
        if frame.opcode is Opcode.PING and not self._ignores_messages:
            if len(self.pings) == _MOST_PINGS:
                # Section 5.5.3 lets the pong for the latest ping stand for earlier ones.
                self.pings.pop()
            self.pings.append(payload)
        return None


def _fault(failed: ParseFailed) -> Fault:
    if failed.code == CloseReason.INVALID_FRAME_PAYLOAD_DATA:
        # Section 8.1. Python's message is not used: it names a position in the piece, which depends
        # on how the bytes were cut.
        return Fault(1007, "text that is not UTF-8", "bad_text")
    return Fault(int(failed.code), str(failed), "bad_frame")


def _flood(what: str) -> Fault:
    return Fault(1008, f"a flood of {what}", "flood")


class FrameWriter:
    """Turns messages and control frames into bytes: each in one masked frame, not compressed.

    A Close is the last frame: it discards everything that was queued.

    Args:
        pings: payloads of the pings that wait for their pong: `FrameReader.pings`.
        random_bytes, apply_mask: as for `WebSocketConnection`.
    """

    def __init__(
        self,
        pings: list[bytes],
        random_bytes: Optional[Callable[[int], bytes]] = None,
        apply_mask: Optional[ApplyMask] = None,
    ) -> None:
        self._pings = pings
        self._waiting = b""
        self._random_bytes = random_bytes
        self._apply_mask = apply_mask or _mask_as_number
        self._longest = None if apply_mask is not None else _SHORT
        self._protocol = FrameProtocol(client=True, extensions=[])

    def text(self, text: str) -> bytes:
        """Return the bytes of a text message (sections 5.2 and 5.3)."""
        payload = text.encode("utf-8")
        return self._masked(_WHOLE_TEXT, payload) or bytes(self._protocol.send_data(text))

    def binary(self, data: bytes) -> bytes:
        """Return the bytes of a binary message."""
        return self._masked(_WHOLE_BINARY, data) or bytes(self._protocol.send_data(data))

    def _masked(self, first: int, payload: bytes) -> bytes:
        """Return a message in one frame; `b""` if wsproto is to make it, which is faster then."""
        size, longest = len(payload), self._longest
        if self._random_bytes is None or (longest is not None and size > longest):
            return b""
        if size < _TWO_BYTES:
            head = bytes((first, _MASKED | size))
        elif size < 1 << 16:
            head = bytes((first, _MASKED | _TWO_BYTES)) + size.to_bytes(2, "big")
        else:
            head = bytes((first, _MASKED | _EIGHT_BYTES)) + size.to_bytes(8, "big")
        # Section 5.3: "The masking key needs to be unpredictable", and a new one for each frame.
        key = self._random_bytes(4)
        return b"".join((head, key, self._apply_mask(payload, key)))

    def ping(self, payload: bytes = b"") -> bytes:
        """Return the bytes of a ping.

        Raises:
            ValueError: the payload has more than 125 bytes (section 5.5).
        """
        if len(payload) > _LONGEST_PING:
            raise ValueError(f"payload: expected at most 125 bytes, got {len(payload)}")
        return bytes(self._protocol.ping(payload))

    def queue_ping(self) -> None:
        """Queue a ping for `data_to_send`."""
        self._waiting = self.ping()

    def close(self, code: Optional[int], reason: str = "") -> bytes:
        """Return the bytes of a Close, without a code if that is None. It is the last frame."""
        self._pings.clear()
        self._waiting = b""
        return bytes(self._protocol.close(code, reason))

    def queue_close(self, end: Closed) -> None:
        """Queue the Close that responds to an end, after the pongs for earlier pings.

        A peer that broke a rule gets the Close that says so and nothing else (section 7.1.7).
        """
        if not end.clean:
            self._waiting = self.close(end.code, end.reason)
            return
        pongs = self._pongs()
        # Section 5.5.1: "the endpoint typically echos the status code it received".
        self._waiting = pongs + self.close(None if end.code == NO_CODE else end.code)

    def data_to_send(self) -> bytes:
        """Return the queued bytes, each of them once: pongs, then a ping or a Close."""
        data = self._pongs() if self._pings else b""
        if self._waiting:
            data, self._waiting = data + self._waiting, b""
        return data

    def _pongs(self) -> bytes:
        # Section 5.5.3: "identical 'Application data' as found in the [...] Ping frame".
        data = b"".join(map(self._protocol.pong, self._pings))
        self._pings.clear()
        return data


def _mask_as_number(payload: bytes, key: bytes) -> bytes:
    # One XOR of two long integers, in C, instead of one for each byte (section 5.3).
    size = len(payload)
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ mask).to_bytes(size, "little")
