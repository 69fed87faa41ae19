"""The messages of a realtime session: reads those that are received, encodes those to send.

A message is text or audio. A JSON object is an event, whether it comes as text or in a binary
message; the audio of an audio delta is decoded. Nothing that is received ends a session here: a
message that is not an event, or whose audio is not base64, raises only when that is asked for.

Source: https://developers.meshapi.ai (realtime),
    https://platform.openai.com/docs/api-reference/realtime-server-events
"""

import re
from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr
from typing_extensions import Buffer

from meshapi_core._json_kinds import is_object, value_name
from meshapi_core.codec.parsing import parse
from meshapi_core.envelopes import error_from_frame
from meshapi_core.errors import Base64Error, InvalidParamsError, RealtimeError, ResponseDecodeError
from meshapi_core.params.plain_values import TOO_DEEP, as_plain, refuse_odd
from meshapi_core.redaction import conceal
from meshapi_core.types._base64 import from_base64
from meshapi_core.types.realtime import RealtimeSessionConfig
from meshapi_core.types.realtime_client import RealtimeClientEvent
from meshapi_core.types.realtime_server import RealtimeServerEvent, read_server_event

__all__ = ["RealtimeMessage", "Reconnected"]

RECONNECTED = "meshapi.reconnected"
"""The type of the one event that no server sends: `Reconnected`."""

_AUDIO_DELTAS = frozenset({"response.output_audio.delta", "response.audio.delta"})


class RealtimeMessage(Struct, frozen=True):
    """One message of a session.

    Fields:
        text: the text as received, including that of an event in a binary message; None for audio.
        audio: the decoded audio of an audio delta (PCM16 at 24 kHz unless the session is
            configured otherwise), or a binary message that is not an event.
        event: the JSON object in `text`; an empty dict if there is none.

    Reading `audio` raises a `Base64Error`, a `ResponseDecodeError`, if a delta is not base64.
    """

    text: Optional[str] = None
    audio: Optional[bytes] = None
    event: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def type(self) -> str:
        """The type of the event, such as "response.done"; "" if the message is not an event."""
        kind = self.event.get("type")
        return kind if isinstance(kind, str) else ""

    def parse(self) -> RealtimeServerEvent:
        """Return the event as a typed Struct; an unknown type has its fields as attributes, too.

        Raises:
            ResponseDecodeError: the message is not a JSON object, or an empty one.
        """
        if not self.event:
            raise ResponseDecodeError("the message is not an event: expected a JSON object")
        return read_server_event(self.event)

    def error(self, secrets: Iterable[str] = (), request_id: str = "") -> Optional[RealtimeError]:
        """Return the error that the message reports; None if it is not an error event.

        Args:
            secrets: texts that the error must not show, though the gateway may quote them:
                `Request.secrets`.
            request_id: that of the session, for an event that has none.
        """
        if self.type != "error":
            return None
        found = error_from_frame(self.event, {})
        inner = self.event.get("error")
        inner = inner if is_object(inner) else self.event
        error = RealtimeError(
            found.error_code,
            found.message,
            _text(inner.get("param")),
            found.request_id or request_id,
            _text(inner.get("event_id")),
        )
        return conceal(error, secrets)

    def __repr__(self) -> str:
        # What people say must not get into a log.
        if self.event:
            return f"<RealtimeMessage {self.type or 'without a type'}>"
        size = len(self.audio or self.text or "")
        return f"<RealtimeMessage {'binary' if self.text is None else 'text'} ({size})>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Without this, rich would show the fields, whatever the repr says.
        return [("type", self.type)]

    @classmethod
    def of(cls, data: Union[str, Buffer]) -> "RealtimeMessage":
        """Return one WebSocket message, read as `RealtimeConnection` reads it.

        Args:
            data: a text message as str, or a binary one as bytes, a bytearray or a memoryview; it
                is copied, so it may be reused at once. An event may come in either kind.

        Raises:
            TypeError: `data` is something else.
        """
        if isinstance(data, str):
            return read_message(data)
        try:
            view = memoryview(data)
        except TypeError:
            raise TypeError(f"data: expected str or bytes, got {type(data).__name__}") from None
        return read_binary_message(view.tobytes())


class _WithoutAudio(RealtimeMessage, frozen=True):
    """An audio delta whose audio is not base64. Everything but the audio can be read."""

    if not TYPE_CHECKING:  # checkers know it as the field that it is of other messages

        @property
        def audio(self) -> Optional[bytes]:
            """Raises `Base64Error`; None would be taken for silence."""
            return _audio_of(self.event["delta"])


class Reconnected(RealtimeMessage, frozen=True):
    """A new connection has replaced a lost one; the conversation so far is gone.

    Only the configuration of the session was sent again. `event` and `type` are those of an event
    "meshapi.reconnected", which no server sends.

    Fields:
        code, reason: how the old connection ended.
        attempts: how many attempts it took to connect.
    """

    code: int = 1006
    reason: str = ""
    attempts: int = 1

    def __post_init__(self) -> None:
        # For programs that look at the type of every event.
        facts = {"code": self.code, "reason": self.reason, "attempts": self.attempts}
        force_setattr(self, "event", {"type": RECONNECTED, **facts})

    def __repr__(self) -> str:
        return f"<Reconnected after {self.code}>"


def read_message(text: str) -> RealtimeMessage:
    """Return a text message, with its JSON and its audio decoded if it has any."""
    try:
        event = parse(text.encode("utf-8", "surrogatepass"))
    except ResponseDecodeError:
        event = None
    if not is_object(event):
        return RealtimeMessage(text)
    kind = event.get("type")
    if not (isinstance(kind, str) and kind in _AUDIO_DELTAS):
        return RealtimeMessage(text, None, event)
    delta = event.get("delta")
    if delta is None:
        return RealtimeMessage(text, None, event)
    try:
        return RealtimeMessage(text, _audio_of(delta), event)
    except Base64Error:
        return _WithoutAudio(text, None, event)


def _audio_of(delta: Any) -> bytes:
    if not isinstance(delta, str):
        name = value_name(delta)
        raise Base64Error(f"delta: expected base64 text, got {name}", error_code="parse_error")
    return from_base64("delta", delta)


# What JSON allows before an object (RFC 8259, section 2), and the byte order mark that `parse`
# skips.
_BEGINS_LIKE_AN_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\{").match
_IS_EMPTY_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\{[ \t\r\n]*\}[ \t\r\n]*").fullmatch
_BLANKS = b" \t\r\n"


def read_binary_message(data: bytes) -> RealtimeMessage:
    """Return a binary message: an event if it is a JSON object, audio if not.

    Some servers send all their events in binary messages.
    """
    # A look at both ends is cheap and sorts out nearly all audio. Audio that begins and ends like
    # an object still does not parse as one.
    if _BEGINS_LIKE_AN_OBJECT(data) and data.rstrip(_BLANKS).endswith(b"}"):
        message = read_message(data.decode("utf-8", "replace"))
        if message.event or _IS_EMPTY_OBJECT(data):
            return message
    return RealtimeMessage(audio=data)


def encode(event: Union[Mapping[str, Any], RealtimeClientEvent]) -> str:
    """Return an event as JSON text, for hosts that have their own WebSocket.

    Raises:
        InvalidParamsError: the event is not a JSON object with a `type`.
    """
    plain = _plain("event", event, "dict or a typed event")
    kind = plain.get("type")
    if not isinstance(kind, str) or not kind:
        got = value_name(kind, show=True) if "type" in plain else "nothing"
        hint = 'write {"type": "...", ...}'
        raise InvalidParamsError("event.type", "the type of an event", got, hint)
    try:
        return msgspec.json.encode(plain).decode("utf-8")
    except UnicodeEncodeError:
        refuse_odd(plain, "event")
        raise


def encode_audio(pcm: Buffer) -> str:
    """Return the event that appends audio to the input buffer, as JSON text.

    Raises:
        InvalidParamsError: `pcm` is not bytes.
    """
    try:
        view = memoryview(pcm)
    except TypeError:
        hint = "write base64.b64decode(x)" if isinstance(pcm, str) else ""
        raise InvalidParamsError("audio", "bytes", value_name(pcm), hint) from None
    data = view if view.c_contiguous else view.tobytes()
    encoded = b2a_base64(data, newline=False).decode("ascii")
    return f'{{"type":"input_audio_buffer.append","audio":"{encoded}"}}'


def update_event(session: Union[Mapping[str, Any], RealtimeSessionConfig]) -> dict[str, Any]:
    """Return the event that changes the session's configuration.

    Raises:
        InvalidParamsError: `session` is not a JSON object.
    """
    plain = _plain("session", session, "dict or RealtimeSessionConfig")
    return {"type": "session.update", "session": {"type": "realtime", **plain}}


def _plain(field: str, value: object, expected: str) -> dict[str, Any]:
    try:
        plain = as_plain(value)
    except InvalidParamsError as exc:
        inner = f"{field}.{exc.field}" if exc.field else field
        raise InvalidParamsError(inner, exc.expected, exc.got, exc.hint) from None
    except RecursionError as exc:
        raise InvalidParamsError(field, "", TOO_DEEP) from exc
    if not is_object(plain):
        hint = "write json.loads(x)" if isinstance(value, str) and value[:1] == "{" else ""
        if not hint and field == "event":
            hint = 'write {"type": "...", ...}'
        raise InvalidParamsError(field, expected, value_name(value), hint)
    return plain


def _text(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None
