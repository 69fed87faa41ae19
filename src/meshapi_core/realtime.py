"""A realtime session as a machine: events of the gateway in and out, no I/O.

`RealtimeConnection` is a `WebSocketConnection` whose messages are JSON events, sound and text.
`RealtimeCall` is the request that opens one; an `Exchange` runs it like any other call.

    call = RealtimeCall(model="openai/gpt-realtime")
    connection = RealtimeConnection()
    write(connection.connect(call.request(config, os.urandom), now()))
    while True:
        event = connection.next_event()
        write(connection.data_to_send())
        if event is NEED_DATA:
            if (data := read(until=connection.timer)) is None:
                connection.handle_timer(now())
            else:
                connection.receive_data(data)    # b"" at the end of input
        elif isinstance(event, Closed): break    # event.error() says why
        else: ...                                # a RealtimeMessage; event.error(), where it is one

A host with a WebSocket of its own takes what it connects to from `RealtimeCall.websocket`, makes
a `RealtimeMessage.of` what comes, sends the text that `RealtimeConnection.encode` returns, and
says how it ended by a `Closed`.

Source: https://developers.meshapi.ai (realtime),
    https://platform.openai.com/docs/api-reference/realtime-server-events
"""

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Literal, Optional, Union, cast

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr
from typing_extensions import Buffer

from meshapi_core._checks import check_count, check_kind, check_seconds, check_timeout
from meshapi_core._json_kinds import is_mapping, is_object, value_name
from meshapi_core._secret import Secret
from meshapi_core.calls import PlainCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.envelopes import error_from_frame
from meshapi_core.errors import (
    APIStatusError,
    Base64Error,
    InvalidParamsError,
    RealtimeError,
    ResponseDecodeError,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Reply, Request
from meshapi_core.parsing import parse
from meshapi_core.plain_values import as_plain, refuse_odd
from meshapi_core.queries import Pairs, percent_encoded
from meshapi_core.randomness import drawn
from meshapi_core.redaction import conceal
from meshapi_core.retries import RetryPolicy
from meshapi_core.sse import NeedData
from meshapi_core.types._base64 import from_base64
from meshapi_core.types.realtime import RealtimeSessionConfig
from meshapi_core.types.realtime_client import RealtimeClientEvent
from meshapi_core.types.realtime_server import RealtimeServerEvent, read_server_event
from meshapi_core.websocket import (
    CLOSE_TIMEOUT,
    MAX_MESSAGE_SIZE,
    PING_INTERVAL,
    PING_TIMEOUT,
    Closed,
    WebSocketConnection,
    refused_upgrade,
)

__all__ = [
    "RealtimeAuth",
    "RealtimeCall",
    "RealtimeConnection",
    "RealtimeMemory",
    "RealtimeMessage",
    "RealtimeOptions",
    "Reconnect",
    "Reconnected",
    "WebSocketTarget",
]

SUBPROTOCOL = "openai-realtime"

OPENAI_SUBPROTOCOL = "realtime"
KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""What OpenAI calls the session, and what stands before a key, in a list of subprotocols."""

# What a subprotocol may consist of: RFC 6455 section 4.1 (10), RFC 9110 section 5.6.2.
_IS_PROTOCOL_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+").fullmatch

RealtimeAuth = Literal["query", "subprotocol", "header"]
"""Where the token goes: `?api_key=`, the list of subprotocols, or an Authorization header."""

_RECONNECTED = "meshapi.reconnected"

_AUDIO_DELTAS = frozenset({"response.output_audio.delta", "response.audio.delta"})


class RealtimeMessage(Struct, frozen=True):
    """One message of a session.

    Fields:
        text: as it came, also of an event in a binary message; None for sound.
        audio: decoded sound of an audio delta (PCM16 at 24 kHz unless the session says
            otherwise), or a binary message that is no event.
        event: the JSON object in `text`; None where there is none.

    `audio` raises a `ResponseDecodeError` where a delta has other things than base64.
    """

    text: Optional[str] = None
    audio: Optional[bytes] = None
    event: Optional[dict[str, Any]] = None

    @property
    def type(self) -> str:
        """The event's type, such as "response.done"; "" for what is no event."""
        kind = None if self.event is None else self.event.get("type")
        return kind if isinstance(kind, str) else ""

    def parse(self) -> RealtimeServerEvent:
        """The event as a typed Struct; one of an unknown type has its fields as attributes.

        Raises:
            ResponseDecodeError: the message is no JSON object.
        """
        if self.event is None:
            raise ResponseDecodeError("the message is no event: it is not a JSON object")
        return read_server_event(self.event)

    def error(self, secrets: Iterable[str] = ()) -> Optional[RealtimeError]:
        """The error that the message is, None where it is none.

        Args:
            secrets: what it does not show, though the gateway may quote it: `Request.secrets`.
        """
        if self.type != "error" or self.event is None:
            return None
        found = error_from_frame(self.event, {})
        inner = self.event.get("error")
        inner = inner if is_object(inner) else self.event
        error = RealtimeError(
            found.error_code,
            found.message,
            _text(inner.get("param")),
            found.request_id,
            _text(inner.get("event_id")),
        )
        return conceal(error, secrets)

    def __repr__(self) -> str:
        # What people say does not belong in a log.
        if self.event is not None:
            return f"<RealtimeMessage {self.type or 'without a type'}>"
        size = len(self.audio or self.text or "")
        return f"<RealtimeMessage {'binary' if self.text is None else 'text'} ({size})>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Else rich shows the fields, whatever the repr says.
        return [("type", self.type)]

    @classmethod
    def of(cls, data: Union[str, Buffer]) -> "RealtimeMessage":
        """Return what one message of a WebSocket is, as `RealtimeConnection` gives it.

        Args:
            data: a text message as str, or a binary one as bytes, a bytearray or a memoryview,
                which may be used again afterwards. An event may come in either.

        Raises:
            TypeError: it is something else.
        """
        if isinstance(data, str):
            return read_message(data)
        try:
            view = memoryview(data)
        except TypeError:
            raise TypeError(f"data: expected str or bytes, got {type(data).__name__}") from None
        return read_binary_message(view.tobytes())


class _WithoutSound(RealtimeMessage, frozen=True):
    """An audio delta whose sound is not base64. All but the sound can be had of it."""

    if not TYPE_CHECKING:  # checkers know it as the field that it is of other messages

        @property
        def audio(self) -> Optional[bytes]:
            """Raises `Base64Error`: it would be silence otherwise."""
            return _sound_of(self.event["delta"])


class Reconnected(RealtimeMessage, frozen=True):
    """A new connection has taken the place of a lost one, which took the conversation along.

    The last configuration of the session was sent again; nothing else was. `event` and `type`
    are those of an event "meshapi.reconnected", which no server sends.

    Fields:
        code, reason: how the old connection ended.
        attempts: how many it took.
    """

    code: int = 1006
    reason: str = ""
    attempts: int = 1

    def __post_init__(self) -> None:
        # A program that looks at the type of each event finds one here, too.
        facts = {"code": self.code, "reason": self.reason, "attempts": self.attempts}
        force_setattr(self, "event", {"type": _RECONNECTED, **facts})

    def __repr__(self) -> str:
        return f"<Reconnected after {self.code}>"


class Reconnect(Struct, frozen=True):
    """Whether and how a lost session is connected again: what `RealtimeExchange` goes by.

    Fields:
        attempts: how often in a row, until a connection lives long enough to bring an answer.
        codes: the ends that are worth it: a lost connection (1006), a server that failed or
            restarts (1011 to 1014). Others would end in the same way again.
        retry: the delays; those of the client where it is None.

    Raises:
        TypeError, ValueError: a field is not usable.
    """

    attempts: int = 5
    codes: frozenset[int] = frozenset({1006, 1011, 1012, 1013, 1014})
    retry: Optional[RetryPolicy] = None

    def __post_init__(self) -> None:
        # For callers without a type checker.
        check_count("attempts", self.attempts, 1)
        check_kind("retry", self.retry, RetryPolicy, optional=True)
        force_setattr(self, "codes", _checked_codes(self.codes))


def _checked_codes(codes: object) -> frozenset[int]:
    if not isinstance(codes, (Set, Sequence)) or isinstance(codes, (str, bytes)):
        raise TypeError(f"codes: expected a set of int, got {type(codes).__name__}")
    items = [*cast("Iterable[object]", codes)]
    for code in items:
        check_count("codes", code, 1000)
    return cast("frozenset[int]", frozenset(items))


class WebSocketTarget(Struct, frozen=True):
    """What a WebSocket of the host's own connects to; its repr shows no token.

    Fields:
        url: ws or wss, as plain text; the token is in it unless it goes elsewhere.
        headers: beside those that every WebSocket sends by itself. A browser can send none: there
            the token goes into the query or a subprotocol.
        subprotocols: what to offer, in this order. The server chooses one of them.
    """

    url: str
    headers: tuple[tuple[str, str], ...]
    subprotocols: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<WebSocketTarget {self.url.partition('?')[0]}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Else rich shows the fields, whatever the repr says.
        return [("url", self.url.partition("?")[0])]


# What whoever makes a WebSocket sends by itself (RFC 6455 section 4.1).
_HANDSHAKE = frozenset({"connection", "upgrade", "sec-websocket-version", "sec-websocket-key"})
_OFFERS = "sec-websocket-protocol"


class RealtimeCall(PlainCall, frozen=True, kw_only=True):
    """The upgrade that opens a session, as a value.

    Fields:
        model: which model listens.
        auth: where the token goes: "query" (MeshAPI), "header" (OpenAI, LiteLLM), or
            "subprotocol", as browsers send it to these two: `openai-insecure-api-key.KEY`.

    Raises:
        InvalidParamsError: a field is not usable.
    """

    model: str
    auth: RealtimeAuth = "query"

    def __post_init__(self) -> None:
        # For callers without a type checker.
        _check_model(self.model)
        if self.auth not in ("query", "subprotocol", "header"):
            expected = "'query', 'subprotocol' or 'header'"
            raise InvalidParamsError("auth", expected, value_name(self.auth, show=True))

    @property
    def method(self) -> str:
        """Always GET."""
        return "GET"

    @property
    def upgrades(self) -> bool:
        """Always True: a 101 is the answer."""
        return True

    def request(
        self, config: MeshAPIConfig, random_bytes: Optional[Callable[[int], bytes]] = None
    ) -> Request:
        """The upgrade request for this session at this gateway.

        Args:
            random_bytes: gives so many random bytes, for the key by which the server shows that
                it has understood: `os.urandom`. Without it the key is a fixed one.

        Raises:
            InvalidParamsError: the token is to be a subprotocol, and can't be one.
        """
        self.check(config)
        location, extras, service = config.location, config.extras, config.service
        query: Pairs = (("model", self.model),)
        protocols = SUBPROTOCOL
        headers: Pairs = ()
        if self.auth == "query":
            query += (("api_key", config.token),)
        elif self.auth == "subprotocol":
            # As a browser offers them to OpenAI; those that follow its API take the first.
            key = Secret(KEY_SUBPROTOCOL + config.token)
            protocols = Secret(f"{OPENAI_SUBPROTOCOL}, {key.reveal()}, {SUBPROTOCOL}")
        else:
            headers = ((service.auth_header, Secret(service.auth_prefix + config.token)),)
        headers += (
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", _key(random_bytes)),
            (_OFFERS, protocols),
            ("user-agent", service.user_agent),
            *service.headers,
        )
        path = location.prefix + service.placed("/v1/realtime")
        target = Secret(f"{path}?{percent_encoded(extras.query_of(query))}")
        fields = extras.headers_of(headers)
        secrets = extras.secrets_with(config.token)
        return Request("GET", location.origin, target, fields, secrets=secrets)

    def websocket(self, config: MeshAPIConfig) -> WebSocketTarget:
        """The same session for a host with a WebSocket of its own, such as a browser's.

        Raises:
            InvalidParamsError: the token is to be a subprotocol, and can't be one.
        """
        request = self.request(config)
        fields = [(name.lower(), str.__str__(value)) for name, value in request.headers]
        offers = [value for name, value in fields if name == _OFFERS]
        return WebSocketTarget(
            # http becomes ws, and https wss.
            "ws" + str.__str__(request.url)[len("http") :],
            tuple(field for field in fields if field[0] not in _HANDSHAKE | {_OFFERS}),
            tuple(offer.strip() for value in offers for offer in value.split(",")),
        )

    def check(self, config: MeshAPIConfig) -> None:
        """Raise unless the token can go where it is to go.

        Raises:
            InvalidParamsError: it is to be a subprotocol, and can't be one.
        """
        if self.auth == "subprotocol" and not _IS_PROTOCOL_TOKEN(config.token):
            raise InvalidParamsError(
                "auth",
                "'query' or 'header'",
                "'subprotocol'",
                "the token has characters that no subprotocol may have, which are other than "
                "letters, digits and !#$%&'*+-.^_`|~",
            )

    def read(self, reply: Reply) -> Reply:
        """The answer itself, where it is a 101.

        Raises:
            ProtocolError: the server answered, but did not switch to a WebSocket.
        """
        if reply.status != 101:
            raise refused_upgrade(reply)
        return reply

    def refusal(self, reply: Reply) -> APIStatusError:
        """The error that a refused upgrade is: that of any other call."""
        error = refused_upgrade(reply)
        assert isinstance(error, APIStatusError)
        return error


def _check_model(model: object) -> None:
    if not isinstance(model, str) or not model:
        raise InvalidParamsError("model", "the name of a model", value_name(model, show=True))
    refuse_odd(model, "model")


def _key(random_bytes: Optional[Callable[[int], bytes]]) -> str:
    return b2a_base64(drawn(random_bytes or bytes, 16), newline=False).decode("ascii")


class RealtimeConnection(WebSocketConnection):
    """One session, from its upgrade to its end. See `WebSocketConnection` for what it inherits."""

    def start(self, request: Request, headers: Headers, received: Buffer = b"") -> None:
        """Begin after an upgrade that somebody else has made. See `WebSocketConnection.start`."""
        super().start(request, headers, received)
        chosen = self.subprotocol
        if chosen is not None and chosen.startswith(KEY_SUBPROTOCOL):
            # It should not, but may choose whatever was offered.
            self.subprotocol = Secret(chosen)

    def next_event(self, frames: Optional[int] = None) -> Union[RealtimeMessage, Closed, NeedData]:
        """The next message; then how the session ended.

        Args and Raises: as for `next_message`.
        """
        event = self.next_message(frames)
        # As `RealtimeMessage.of` does it, which would be two calls more.
        if isinstance(event, str):
            return read_message(event)
        if isinstance(event, bytes):
            return read_binary_message(event)
        return event

    def send(self, event: Union[Mapping[str, Any], RealtimeClientEvent]) -> bytes:
        """Return the bytes that send an event.

        Raises:
            InvalidParamsError: it is no JSON object with a `type`.
            RealtimeConnectionClosed: the connection is not open.
        """
        return self.send_text(self.encode(event))

    def send_audio(self, pcm: Buffer) -> bytes:
        """Return the bytes that add sound to the input, in the session's format.

        Raises:
            InvalidParamsError: it is not bytes.
            RealtimeConnectionClosed: the connection is not open.
        """
        return self.send_text(self.encode_audio(pcm))

    @staticmethod
    def encode(event: Union[Mapping[str, Any], RealtimeClientEvent]) -> str:
        """Return an event as JSON text: what a host with a WebSocket of its own sends.

        Raises:
            InvalidParamsError: it is no JSON object with a `type`.
        """
        plain = _plain("event", event, "dict or a typed event")
        kind = plain.get("type")
        if not isinstance(kind, str) or not kind:
            got = value_name(kind, show=True)
            raise InvalidParamsError("event.type", "the type of an event", got)
        try:
            return msgspec.json.encode(plain).decode("utf-8")
        except UnicodeEncodeError:
            refuse_odd(plain, "event")
            raise

    @staticmethod
    def encode_audio(pcm: Buffer) -> str:
        """Return the event that adds sound to the input, as JSON text.

        Raises:
            InvalidParamsError: it is not bytes.
        """
        try:
            view = memoryview(pcm)
        except TypeError:
            raise InvalidParamsError("audio", "bytes", value_name(pcm)) from None
        data = view if view.c_contiguous else view.tobytes()
        sound = b2a_base64(data, newline=False).decode("ascii")
        return f'{{"type":"input_audio_buffer.append","audio":"{sound}"}}'

    @staticmethod
    def update_event(session: Union[Mapping[str, Any], RealtimeSessionConfig]) -> dict[str, Any]:
        """Return the event that changes the session's configuration.

        Raises:
            InvalidParamsError: it is no JSON object.
        """
        plain = _plain("session", session, "dict or RealtimeSessionConfig")
        return {"type": "session.update", "session": {"type": "realtime", **plain}}


class RealtimeOptions(Struct, frozen=True, kw_only=True):
    """How a session behaves.

    Fields:
        raise_errors: error events raise `RealtimeError`; else they are messages like others.
        reconnect: whether to connect again when the connection is lost.
        max_message_size: bytes of one message; a larger one ends the session with 1009.
        ping_interval: seconds of silence after which the gateway is asked whether it is there;
            None does not ask.
        ping_timeout: seconds it has to answer; None waits for ever.
        close_timeout: seconds it has to answer a Close.

    Raises:
        TypeError, ValueError: a field is not usable.
    """

    raise_errors: bool = True
    reconnect: Optional[Reconnect] = None
    max_message_size: int = MAX_MESSAGE_SIZE
    ping_interval: Optional[float] = PING_INTERVAL
    ping_timeout: Optional[float] = PING_TIMEOUT
    close_timeout: float = CLOSE_TIMEOUT

    def __post_init__(self) -> None:
        # For callers without a type checker.
        check_kind("raise_errors", self.raise_errors, bool)
        check_kind("reconnect", self.reconnect, Reconnect, optional=True)
        check_count("max_message_size", self.max_message_size, 1)
        check_timeout("ping_interval", self.ping_interval)
        check_timeout("ping_timeout", self.ping_timeout)
        check_seconds("close_timeout", self.close_timeout)

    def connection(
        self, random_bytes: Optional[Callable[[int], bytes]] = None
    ) -> RealtimeConnection:
        """A machine with these limits.

        Args:
            random_bytes: as for `WebSocketConnection`.
        """
        return RealtimeConnection(
            random_bytes=random_bytes,
            max_message_size=self.max_message_size,
            ping_interval=self.ping_interval,
            ping_timeout=self.ping_timeout,
            close_timeout=self.close_timeout,
        )

    @staticmethod
    def check_timeout(timeout: object) -> None:
        """Raise unless it is None, 0, or a number of seconds.

        Raises:
            TypeError, ValueError: it is something else.
        """
        if timeout is False or timeout != 0:
            check_timeout("timeout", timeout, zero=True)

    @staticmethod
    def check_type(kind: object) -> None:
        """Raise unless it can be the type of an event.

        Raises:
            InvalidParamsError: it can't.
        """
        if not isinstance(kind, str) or not kind:
            expected = "the type of an event"
            raise InvalidParamsError("type", expected, value_name(kind, show=True))


class RealtimeMemory:
    """What a session has to remember for the case that it must be connected again.

    A host that drives a `RealtimeExchange` tells that one's `memory` what it sends and receives.

    Attributes:
        failures: connections in a row that brought no answer.
        last_error_code: of the last error event since the last answer, "" without one.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.last_error_code = ""
        self._session: dict[str, Any] = {}

    def note_sent(self, event: Union[Mapping[str, Any], RealtimeClientEvent]) -> None:
        """Look at what is sent: a configuration adds to those before it, as at the gateway."""
        kind: object = event.get("type") if is_mapping(event) else getattr(event, "type", None)
        if kind == "session.update":
            session = as_plain(event).get("session")
            if is_object(session):
                self._session = _merged(self._session, session)

    def update(self) -> Optional[str]:
        """The event that sends the whole configuration again; None where there is none."""
        if not self._session:
            return None
        return RealtimeConnection.encode(RealtimeConnection.update_event(self._session))

    def note_received(self, message: RealtimeMessage) -> None:
        """Look at what was received."""
        kind = message.type
        if kind == "error":
            error = message.error()
            assert error is not None
            self.last_error_code = error.code
        elif kind not in _GREETINGS:
            self.failures, self.last_error_code = 0, ""


# These come from every new connection, however short its life is.
_GREETINGS = frozenset({"session.created", "session.updated", _RECONNECTED})


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        if is_object(before) and is_object(value):
            value = _merged(before, value)
        merged[name] = value
    return merged


def read_message(text: str) -> RealtimeMessage:
    """Return a text message, its JSON and its sound decoded where there are any."""
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
        return RealtimeMessage(text, _sound_of(delta), event)
    except Base64Error:
        return _WithoutSound(text, None, event)


def _sound_of(delta: Any) -> bytes:
    if not isinstance(delta, str):
        name = value_name(delta)
        raise Base64Error(f"delta is not base64, but {name}", error_code="parse_error")
    return from_base64("delta", delta)


# What JSON allows before an object (RFC 8259 section 2), and the mark that `parse` passes over.
_BEGINS_LIKE_AN_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\{").match
_BLANKS = b" \t\r\n"


def read_binary_message(data: bytes) -> RealtimeMessage:
    """Return a binary message: an event where it is a JSON object, and sound where it is not.

    Some servers send all their events so. Sound may begin like an object, but is none.
    """
    if _BEGINS_LIKE_AN_OBJECT(data) and data.rstrip(_BLANKS).endswith(b"}"):
        message = read_message(data.decode("utf-8", "replace"))
        if message.event is not None:
            return message
    return RealtimeMessage(audio=data)


def _plain(field: str, value: object, expected: str) -> dict[str, Any]:
    try:
        plain = as_plain(value)
    except InvalidParamsError as exc:
        inner = f"{field}.{exc.field}" if exc.field else field
        raise InvalidParamsError(inner, exc.expected, exc.got, exc.hint) from None
    except RecursionError as exc:
        raise InvalidParamsError(field, "values within each other", "too many levels") from exc
    if not is_object(plain):
        raise InvalidParamsError(field, expected, value_name(value))
    return plain


def _text(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None
