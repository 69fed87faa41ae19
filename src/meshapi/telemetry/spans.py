"""The span of one call, from its beginning to its end, and its metrics.

It is told what happens by the notices of the call (`meshapi_core.observing`).
"""

import logging
import re
from collections.abc import Callable
from typing import Any, ClassVar, Final, NamedTuple, Optional
from urllib.parse import urlsplit

from opentelemetry import metrics, trace
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from meshapi.telemetry import content, names
from meshapi.telemetry.attributes import ResponseFacts, fields_of, request_attributes
from meshapi.telemetry.instruments import Attributes, Instruments, Measured, Recorders
from meshapi.telemetry.names import Operation, operation_of, span_name
from meshapi.telemetry.options import Settings
from meshapi_core import (
    AnyCall,
    Call,
    MeshAPIError,
    Origin,
    RawResponse,
    RealtimeCall,
    StreamCall,
    __version__,
)
from meshapi_core.observing import (
    AttemptStarted,
    CallClosed,
    CallFailed,
    CallSucceeded,
    ConnectionLost,
    ItemReceived,
    Notice,
    ResponseStarted,
    RetryPlanned,
    SessionEnded,
)

__all__ = ["CallSpan", "Telemetry"]

_SCOPE: Final = "meshapi"
_W3C: Final = TraceContextTextMapPropagator()


class Telemetry:
    """The tracer and the instruments of a client.

    Args:
        settings: the client's options.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tracer = trace.get_tracer(_SCOPE, __version__, settings.tracer_provider)
        meter = metrics.get_meter(_SCOPE, __version__, settings.meter_provider)
        self.instruments = Instruments(meter, settings.names)

    def context(self) -> Context:
        """Return the current context, for the parent of a span that begins later."""
        return get_current()

    def begin(
        self, call: AnyCall[Any], origin: Origin, context: Optional[Context] = None
    ) -> "CallSpan":
        """Start the span of a call to a gateway, as a child of the one that is current.

        Args:
            call: what is asked for.
            origin: the gateway.
            context: where the current span is, if it is not the one of this task or thread.
        """
        return CallSpan(self, call, origin, context)

    def start_span(self, name: str, context: Optional[Context], attributes: Attributes) -> Span:
        """Start a span; one that records nothing if the program's code for spans fails."""
        try:
            return self.tracer.start_span(
                name, context=context, kind=SpanKind.CLIENT, attributes=attributes
            )
        except Exception as exc:
            _warn("a span could not be started", exc)
            return trace.INVALID_SPAN


class CallSpan:
    """The span of one call.

    Args:
        telemetry: of the client.
        call: what is asked for.
        origin: the gateway.
        context: where the parent is; None is the current context.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        call: AnyCall[Any],
        origin: Origin,
        context: Optional[Context] = None,
    ) -> None:
        self._telemetry = telemetry
        self._facts = ResponseFacts()
        self._began = 0.0
        self._last_chunk: Optional[float] = None
        self._per_chunk: Optional[Recorders] = None
        self._said: Optional[content.StreamedContent] = None
        self._has_ended = False
        about = _About.of(call, origin)
        self._operation = operation = about.operation
        runs_model = operation.name is not None
        asked: Attributes = {names.PATH: about.path} if about.path else {}
        if runs_model:
            asked = request_attributes(about.fields, operation, streaming=call.streaming)
        # A session is a stream of messages, but not of the parts of one answer.
        self._has_chunks = call.streaming and runs_model
        self._shared = _shared(about, asked)
        self._span = telemetry.start_span(
            span_name(operation, about.method, about.path, asked.get(names.REQUEST_MODEL)),
            context,
            {**self._shared, **asked},
        )
        if not (self._span.is_recording() and runs_model):
            return
        settings = telemetry.settings
        if settings.conversation_id is not None:
            self._span.set_attribute(names.CONVERSATION_ID, settings.conversation_id)
        if settings.content:
            self._said = content.StreamedContent(settings.max_content_bytes)
            self._set(names.INPUT_MESSAGES, content.input_messages(about.fields))
            self._set(names.SYSTEM_INSTRUCTIONS, content.instructions(about.fields))
            self._set(names.TOOL_DEFINITIONS, content.tools(about.fields))

    def headers(self) -> dict[str, str]:
        """The headers that carry the span's context; none if that is switched off."""
        carrier: dict[str, str] = {}
        if self._telemetry.settings.propagation:
            _W3C.inject(carrier, context=trace.set_span_in_context(self._span))
        return carrier

    def receive(self, notice: Notice) -> None:
        """Take what has happened in the call."""
        receive = self._RECEIVERS.get(type(notice))
        try:
            if receive is not None:
                receive(self, notice)
        except Exception as exc:
            # Such as a span processor of the program's.
            _warn(f"{type(notice).__name__} could not be recorded", exc)

    def _attempt(self, notice: AttemptStarted) -> None:
        if not notice.resent:
            self._began = notice.at

    def _response(self, notice: ResponseStarted) -> None:
        self._span.set_attribute(names.STATUS, notice.status)
        if notice.request_id:
            self._span.set_attribute(names.REQUEST_ID, notice.request_id)

    def _retry(self, notice: RetryPlanned) -> None:
        found: Attributes = {
            names.ERROR_TYPE: _error_type(notice.error),
            names.RESEND_COUNT: notice.attempt,
            names.RETRY_DELAY: notice.wait,
        }
        self._span.add_event(names.RETRY_EVENT, found)

    def _item(self, notice: ItemReceived) -> None:
        if not self._has_chunks:
            return
        self._facts.take(notice.value)
        if self._said is not None:
            self._said.take(notice.value)
        last, self._last_chunk = self._last_chunk, notice.at
        if last is not None:
            if self._per_chunk is None:
                self._per_chunk = self._recorders("per_chunk")
            for record, attributes in self._per_chunk:
                record(notice.at - last, attributes)
            return
        # Not the time of the attempts before: only this one has a chunk.
        seconds = notice.at - self._began
        self._span.set_attribute(names.TIME_TO_FIRST_CHUNK, seconds)
        self._record("first_chunk", seconds)

    def _succeeded(self, notice: CallSucceeded) -> None:
        if self._operation.name is not None:
            result: Any = notice.result
            is_raw = isinstance(notice.result, RawResponse)
            body: object = fields_of(result.content) if is_raw else getattr(result, "raw", None)
            self._facts.take(body if is_raw else result)
            self._set_output(body)
        self._end(notice, is_complete=True)

    def _failed(self, notice: CallFailed) -> None:
        kind = _error_type(notice.error)
        self._shared[names.ERROR_TYPE] = kind
        self._span.set_attribute(names.ERROR_TYPE, kind)
        # Without the words of the server, which may quote the request.
        self._span.set_status(Status(StatusCode.ERROR, kind))
        self._set_output(None)
        self._end(notice)

    def _closed(self, notice: CallClosed) -> None:
        self._span.set_attribute(names.CLOSED, True)
        self._set_output(None)
        self._end(notice)

    def _session_ended(self, notice: SessionEnded) -> None:
        self._end(notice)

    def _lost(self, notice: ConnectionLost) -> None:
        found: Attributes = {names.CLOSE_CODE: notice.closed.code}
        if notice.wait is not None:
            found[names.RETRY_DELAY] = notice.wait
        self._span.add_event(names.LOST_EVENT, found)

    def _end(self, notice: Notice, *, is_complete: bool = False) -> None:
        if self._has_ended:
            return  # a session that failed ends as well
        self._has_ended = True
        try:
            found = self._facts.attributes(is_complete=is_complete)
            self._span.set_attributes({**found, names.ATTEMPTS: notice.attempt})
            self._record("duration", notice.elapsed)
            for measured, count in self._facts.tokens():
                self._record(measured, count)
        finally:
            self._span.end()

    def _record(self, measured: Measured, value: float) -> None:
        for record, attributes in self._recorders(measured):
            record(value, attributes)

    def _recorders(self, measured: Measured) -> Recorders:
        if self._operation.name is None:
            return []
        model = self._facts.model
        found = self._shared if model is None else {**self._shared, names.RESPONSE_MODEL: model}
        return self._telemetry.instruments.recorders(self._operation.metrics, measured, found)

    def _set_output(self, body: object) -> None:
        if self._said is not None:
            said = content.output_messages(body) if body else self._said.messages()
            self._set(names.OUTPUT_MESSAGES, said)

    def _set(self, name: str, items: list[Any]) -> None:
        if not items:
            return
        encoded = content.encode(items, self._telemetry.settings.max_content_bytes)
        self._span.set_attribute(name, encoded.text)
        if encoded.truncated:
            self._span.set_attribute(names.TRUNCATED, True)

    def __del__(self) -> None:
        # A stream that the program dropped: nothing tells of its end. Without metrics, whose locks
        # may be held by the code that this interrupts.
        span: Optional[Span] = vars(self).get("_span")
        if span is None or self._has_ended or not span.is_recording():
            return
        try:
            span.set_attributes({**self._facts.attributes(is_complete=False), names.CLOSED: True})
            span.end()
        except Exception as exc:
            _warn("the span of a dropped stream could not be ended", exc)

    _RECEIVERS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        AttemptStarted: _attempt,
        CallClosed: _closed,
        CallFailed: _failed,
        CallSucceeded: _succeeded,
        ConnectionLost: _lost,
        ItemReceived: _item,
        ResponseStarted: _response,
        RetryPlanned: _retry,
        SessionEnded: _session_ended,
    }


class _About(NamedTuple):
    """What a call is about.

    Fields:
        path: without a query; "" if it may identify what somebody else stores.
        origin: the server.
        fields: of the body, if the call runs a model.
    """

    method: str
    path: str
    origin: Origin
    operation: Operation
    fields: dict[str, Any]

    @classmethod
    def of(cls, call: AnyCall[Any], gateway: Origin) -> "_About":
        method, path, fields = call.method, "", {}
        origin = gateway
        if isinstance(call, RealtimeCall):
            path, fields = names.REALTIME_PATH, {"model": call.model}
        elif isinstance(call, (Call, StreamCall)):
            path = call.path.partition("?")[0]
        elif isinstance(url := getattr(call, "url", None), str):
            # An upload to a signed URL, or a download.
            origin = _origin_of(str.__str__(url)) or gateway
        operation = operation_of(method, path)
        if operation.name is not None and isinstance(call, (Call, StreamCall)):
            fields = fields_of(call.body)
        return cls(method, path, origin, operation, fields)


def _origin_of(url: str) -> Optional[Origin]:
    """The server that a URL names; None if it is not valid, which the call will complain about."""
    try:
        found = urlsplit(url)
        port = found.port or (443 if found.scheme == "https" else 80)
    except ValueError:
        return None
    return Origin(found.scheme, found.hostname, port) if found.hostname else None


def _shared(about: _About, asked: Attributes) -> Attributes:
    """The attributes that a span and its metrics have in common."""
    origin, operation = about.origin, about.operation
    found: Attributes = {names.SERVER_ADDRESS: origin.host, names.SERVER_PORT: origin.port}
    if operation.name is None:
        return {names.METHOD: about.method, **found}
    model = asked.get(names.REQUEST_MODEL)
    found = {names.OPERATION_NAME: operation.name, names.PROVIDER_NAME: names.PROVIDER, **found}
    return found if model is None else {**found, names.REQUEST_MODEL: model}


_NO_CODES: Final = ("unknown_error", "http_error")
"""What an error has in place of a code if only its status is known."""

_ERROR_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
"""An error code that can be an attribute. Servers may send sentences, or what is concealed."""


def _error_type(error: Exception) -> str:
    """`error.type`: the error code; the status without one; of other errors, the class."""
    if not isinstance(error, MeshAPIError):
        return type(error).__qualname__
    code = error.error_code
    if code in _NO_CODES:
        return str(error.status)
    return code if _ERROR_TYPE.fullmatch(code) else str(error.status or type(error).__name__)


def _warn(what: str, exc: Exception) -> None:
    # Its message may have anything in it.
    logging.getLogger("meshapi").warning("open_telemetry: %s: %s", what, type(exc).__name__)
