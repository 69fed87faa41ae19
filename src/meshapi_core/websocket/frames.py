"""Frames of a WebSocket: received bytes to messages, and messages to bytes.

Theory of operation. wsproto reads and writes the frames and judges their form: opcodes, masks,
lengths, the order of fragments, UTF-8. `FrameReader` adds what it leaves open:

- a limit on messages, judged by the header of a frame, before the message is there;
- limits on frames that bring nothing: control frames, and fragments without a byte;
- a shorter way for a text that is in one frame and whole, which nearly all messages are;
- one word for whatever is wrong: a `Fault`, which ends the connection.

`FrameWriter` masks messages faster than wsproto does, all of them where it is given a function for
that, and short ones where not; it leaves the rest to wsproto. Neither compresses (RFC 7692):
wsproto inflates without a limit, and audio in base64 gains little.

More of wsproto is used here than its documents promise, and nowhere else: `frame_protocol`, where
they have `connection`. That one sets no limits, and shows nothing of a frame before its payload, so
not the length by which a message is refused in time. Of `FrameDecoder` the attributes
`buffer.buffer`, `header` and `payload_consumed` are read, of `MessageDecoder` `opcode`. They are
the same in wsproto 1.2 and 1.3, `pyproject.toml` asks for less than 2, and a test says which of
them a new version no longer has.

Source: https://www.rfc-editor.org/rfc/rfc6455 section 5, https://python-hyper.org/projects/wsproto
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
"""Returns bytes, each combined by exclusive or with one of a key's four, in turn (section 5.3)."""

MAX_MESSAGE_SIZE = 64 * 1024 * 1024
"""Bytes of one message where nothing else is asked for: 15 minutes of 24 kHz PCM16 in base64."""

# Pings that wait for their response; their payloads are 2 KiB.
_MOST_PINGS = 16

# Between two ticks of the timer, without a message. Real peers send a few.
_MOST_CONTROL_FRAMES = 1_000
_MOST_EMPTY_FRAMES = 10_000

# A frame's first byte that says: text, or binary, in one frame; and the lengths that are said in
# two bytes and in eight.
_WHOLE_TEXT = 0x81
_WHOLE_BINARY = 0x82
_TWO_BYTES = 126
_EIGHT_BYTES = 127

# A frame's second byte that says: masked.
_MASKED = 0x80

# Bytes of a message up to which masking it as one number is faster than wsproto's way: 2.0
# against 6.4 us for 20 bytes, 3.4 against 5.6 for 1 KiB, the same for 4 KiB (CPython 3.11).
_SHORT = 4096

# What a control frame has room for (section 5.5).
_LONGEST_PING = 125


class FrameReader:
    """Received bytes to messages; pings gather beside them, and an end ends them.

    Args:
        max_message_size: bytes of one message; a larger one is a fault.

    Attributes:
        pings: payloads of those that wait for their response, the oldest first: always the same
            list, which a `FrameWriter` empties.
        has_more: whether `next_message` has stopped at its limit of frames, with data left to
            look at.
        lost: how the connection ends where its input does so; None before that. What was received
            is given out first.
    """

    def __init__(self, max_message_size: int) -> None:
        self.pings: list[bytes] = []
        self.lost: Optional[Closed] = None
        self._max_message_size = max_message_size
        self._ignores_messages = False
        self.drop()

    def drop(self) -> None:
        """Forget what was received."""
        self.pings.clear()
        self.has_more = False
        self._decoder = FrameDecoder(client=True, extensions=[])
        self.receive_data = self._decoder.receive_bytes
        # The decoder's own: it stays the same object for as long as the decoder lives.
        self._received = self._decoder.buffer.buffer
        self._fragments = MessageDecoder()
        self._text = GrowingText()
        self._binary = bytearray()
        # Bytes that have come of a message.
        self._size = 0
        self.tick()

    def tick(self) -> None:
        """A while has passed: control frames and empty ones are counted anew."""
        self._control_frames = self._empty_frames = 0

    def ignore(self) -> None:
        """Nothing but the end matters from now on: messages and pings are passed over."""
        self._ignores_messages = True

    def next_message(self, frames: Optional[int]) -> Union[str, bytes, Closed, NeedData]:
        """The next message; or how the connection ends, after which nothing is to be read.

        That is clean where the peer said Close. It has the code 1006 where input has ended, and
        else the code that a peer is to be told which broke the rules.

        Args:
            frames: as for `WebSocketConnection.next_message`.
        """
        received, decoder, fragments = self._received, self._decoder, self._fragments
        self.has_more = False
        try:
            # Of nothing, wsproto would make the same, but not as soon.
            while received:
                if frames is not None:
                    if frames == 0:
                        self.has_more = True
                        return NEED_DATA
                    frames -= 1
                message: Union[None, str, bytes, Closed] = None
                if decoder.header is None and fragments.opcode is None:
                    message = self._text_at_once()
                if message is None:
                    frame = decoder.process_buffer()
                    if frame is None:
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
        """The next message, where it is a text in one frame, and that frame is there.

        This is the same as what wsproto does with it, without what it does for all others.
        Whatever is unusual in any way stays where it is, and wsproto judges it.
        """
        data = self._received
        length = len(data)
        if length < 2 or data[0] != _WHOLE_TEXT:
            return None
        size, start = data[1], 2
        if size == _TWO_BYTES:
            size, start = int.from_bytes(data[2:4], "big"), 4
            if size < _TWO_BYTES:
                return None  # too long a way to say it, or not all of it
        elif size > _TWO_BYTES:
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
        """Raise where what has come of a message, and what its frame announces, is too much."""
        size, header = self._size, self._decoder.header
        if header is not None and not header.opcode.iscontrol():
            size += header.payload_len - self._decoder.payload_consumed
        limit = self._max_message_size
        if size > limit:
            # Section 7.4.1: 1009 is "a message that is too big for it to process".
            raise Fault(1009, f"a message of more than {limit} bytes", "message_too_big")

    def _assemble(self, frame: Frame) -> Union[None, str, bytes]:
        """Take a part of a message; the message, where it is the last part (section 5.4)."""
        self._size += len(frame.payload)
        self._check_size()
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
                # The same section lets an answer to the last one stand for those before it.
                self.pings.pop()
            self.pings.append(payload)
        return None


def _fault(failed: ParseFailed) -> Fault:
    if failed.code == CloseReason.INVALID_FRAME_PAYLOAD_DATA:
        # Section 8.1. Python's words would say where in a piece, so depend on how it was cut.
        return Fault(1007, "text that is not UTF-8", "bad_text")
    return Fault(int(failed.code), str(failed), "bad_frame")


def _flood(what: str) -> Fault:
    return Fault(1008, f"a flood of {what}", "flood")


class FrameWriter:
    """Messages and control frames to bytes: masked, each in one frame, not compressed.

    A Close is the last that is said: with it, what waits to be sent is forgotten.

    Args:
        pings: payloads of those that wait for their response, as `FrameReader.pings`.
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
        """Return a message in one frame; none where that is quicker left to wsproto."""
        size, longest = len(payload), self._longest
        if self._random_bytes is None or (longest is not None and size > longest):
            return b""
        if size < _TWO_BYTES:
            head = bytes((first, _MASKED | size))
        elif size < 1 << 16:
            head = bytes((first, _MASKED | _TWO_BYTES)) + size.to_bytes(2, "big")
        else:
            head = bytes((first, _MASKED | _EIGHT_BYTES)) + size.to_bytes(8, "big")
        # Section 5.3: "The masking key needs to be unpredictable", and fresh for each frame.
        key = self._random_bytes(4)
        return b"".join((head, key, self._apply_mask(payload, key)))

    def ping(self, payload: bytes = b"") -> bytes:
        """Return the bytes of a ping.

        Raises:
            ValueError: it has more than 125 bytes (section 5.5).
        """
        if len(payload) > _LONGEST_PING:
            raise ValueError(f"payload: expected at most 125 bytes, got {len(payload)}")
        return bytes(self._protocol.ping(payload))

    def queue_ping(self) -> None:
        """Let a ping wait to be sent."""
        self._waiting = self.ping()

    def close(self, code: Optional[int], reason: str = "") -> bytes:
        """Return the bytes of a Close, without a code where that is None; it is the last."""
        self._pings.clear()
        self._waiting = b""
        return bytes(self._protocol.close(code, reason))

    def queue_close(self, end: Closed) -> None:
        """Let the Close wait that answers an end: behind the answers to pings before it.

        A peer that broke a rule is told which, and nothing else (section 7.1.7).
        """
        if not end.clean:
            self._waiting = self.close(end.code, end.reason)
            return
        pongs = self._pongs()
        # Section 5.5.1: "the endpoint typically echos the status code it received".
        self._waiting = pongs + self.close(None if end.code == NO_CODE else end.code)

    def data_to_send(self) -> bytes:
        """Return the bytes that the peer must get because of what it sent; they are given once."""
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
    size = len(payload)
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ mask).to_bytes(size, "little")
