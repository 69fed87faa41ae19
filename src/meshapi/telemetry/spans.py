"""The span of one call, from its beginning to its end, and its metrics.

It is told what happens by the notices of the call (`meshapi_core.observing`).
"""

import logging
from collections.abc import Callable
from typing import Any, ClassVar, Final, Optional

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from meshapi.telemetry import content, names
from meshapi.telemetry.attributes import Attributes, ResponseFacts, fields_of, request_attributes
from meshapi.telemetry.instruments import Instruments, Measured
from meshapi.telemetry.names import Operation, operation_of, span_name
from meshapi.telemetry.options import Settings
from meshapi_core import (
    AnyCall,
    Call,
    MeshAPIError,
    Origin,
    RealtimeCall,
    StreamCall,
    __version__,
)
from meshapi_core.observing import (
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

    def begin(self, call: AnyCall[Any], origin: Origin) -> "CallSpan":
        """Start the span of a call to a gateway, as a child of the current one."""
        return CallSpan(self, call, origin)


class CallSpan:
    """The span of one call.

    Args:
        telemetry: of the client.
        call: what is asked for.
        origin: the gateway.
    """

    def __init__(self, telemetry: Telemetry, call: AnyCall[Any], origin: Origin) -> None:
        self._telemetry = telemetry
        self._facts = ResponseFacts()
        self._last_chunk: Optional[float] = None
        self._said: list[str] = []
        self._said_size = 0
        self._has_ended = False
        method, path, fields = _asked(call)
        self._operation = operation = operation_of(method, path)
        runs_model = operation.name is not None
        asked: Attributes = (
            request_attributes(fields, operation, streaming=call.streaming)
            if runs_model
            else {names.PATH: path}
        )
        self._shared = _shared(operation, method, origin, asked)
        self._span = telemetry.tracer.start_span(
            span_name(operation, method, path, asked.get(names.REQUEST_MODEL)),
            kind=SpanKind.CLIENT,
            attributes={**self._shared, **asked},
        )
        if not (self._span.is_recording() and runs_model):
            return
        settings = telemetry.settings
        if settings.conversation_id is not None:
            self._span.set_attribute(names.CONVERSATION_ID, settings.conversation_id)
        if settings.content:
            self._set(names.INPUT_MESSAGES, content.input_messages(fields))
            self._set(names.SYSTEM_INSTRUCTIONS, content.instructions(fields))
            self._set(names.TOOL_DEFINITIONS, content.tools(fields))

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
            # Only a span processor or an exporter of the program's raises.
            logging.getLogger("meshapi").warning(
                "open_telemetry: %s raised %s", type(notice).__name__, type(exc).__name__
            )

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
        elapsed, since = notice.elapsed, self._last_chunk
        if since is None:
            self._span.set_attribute(names.TIME_TO_FIRST_CHUNK, elapsed)
            self._record("first_chunk", elapsed)
        else:
            self._record("per_chunk", elapsed - since)
        self._last_chunk = elapsed
        self._facts.take(notice.value)
        text = getattr(notice.value, "text", None)
        settings = self._telemetry.settings
        if settings.content and isinstance(text, str) and text:
            # Enough characters for the size, whatever their encoding.
            self._said.append(text[: max(0, settings.max_content_bytes - self._said_size)])
            self._said_size += len(text)

    def _succeeded(self, notice: CallSucceeded) -> None:
        self._facts.take(notice.result)
        self._set_output(notice.result)
        self._end(notice)

    def _failed(self, notice: CallFailed) -> None:
        error, kind = notice.error, _error_type(notice.error)
        self._shared[names.ERROR_TYPE] = kind
        self._span.set_attribute(names.ERROR_TYPE, kind)
        code = error.error_code if isinstance(error, MeshAPIError) else kind
        self._span.set_attribute(names.ERROR_CODE, code)
        # Without the words of the server, which may quote the request.
        self._span.set_status(Status(StatusCode.ERROR, code))
        self._end(notice)

    def _closed(self, notice: CallClosed) -> None:
        self._span.set_attribute(names.CLOSED, True)
        self._set_output(None)
        self._end(notice)

    def _lost(self, notice: ConnectionLost) -> None:
        found: Attributes = {names.CLOSE_CODE: notice.closed.code}
        if notice.wait is not None:
            found[names.RETRY_DELAY] = notice.wait
        self._span.add_event(names.LOST_EVENT, found)

    def _end(self, notice: Notice) -> None:
        if self._has_ended:
            return  # a session that failed ends as well
        self._has_ended = True
        found = self._facts.attributes()
        self._span.set_attributes({**found, names.ATTEMPTS: notice.attempt})
        model = found.get(names.RESPONSE_MODEL)
        if model is not None:
            self._shared[names.RESPONSE_MODEL] = model
        self._record("duration", notice.elapsed)
        self._shared.pop(names.ERROR_TYPE, None)
        for measured, count in self._facts.tokens():
            self._record(measured, count)
        self._span.end()

    def _record(self, measured: Measured, value: float) -> None:
        if self._operation.name is not None:
            self._telemetry.instruments.record(
                self._operation.metrics, measured, value, self._shared
            )

    def _set_output(self, value: object) -> None:
        if not (self._telemetry.settings.content and self._span.is_recording()):
            return
        if self._said:
            said = [content.output_message("".join(self._said), None)]
        else:
            said = content.output_messages(getattr(value, "raw", None))
        self._set(names.OUTPUT_MESSAGES, said)

    def _set(self, name: str, items: list[Any]) -> None:
        if not items:
            return
        encoded = content.encode(items, self._telemetry.settings.max_content_bytes)
        self._span.set_attribute(name, encoded.text)
        if encoded.truncated:
            self._span.set_attribute(names.TRUNCATED, True)

    def __del__(self) -> None:
        # A stream that the program dropped ends here. Harmless after the end; there is no `_span`
        # if it could not be started.
        span = vars(self).get("_span")
        if span is not None and span.is_recording():
            span.end()

    _RECEIVERS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        CallClosed: _closed,
        CallFailed: _failed,
        CallSucceeded: _succeeded,
        ConnectionLost: _lost,
        ItemReceived: _item,
        ResponseStarted: _response,
        RetryPlanned: _retry,
        SessionEnded: _end,
    }


def _asked(call: AnyCall[Any]) -> tuple[str, str, dict[str, Any]]:
    """The method and path of a call, and the fields of its body if it runs a model."""
    if isinstance(call, RealtimeCall):
        return call.method, names.REALTIME_PATH, {"model": call.model}
    if isinstance(call, (Call, StreamCall)):
        path = call.path.partition("?")[0]
        runs_model = operation_of(call.method, path).name is not None
        return call.method, path, fields_of(call.body) if runs_model else {}
    return call.method, "/", {}


def _shared(operation: Operation, method: str, origin: Origin, asked: Attributes) -> Attributes:
    """The attributes that a span and its metrics have in common."""
    found: Attributes = {names.SERVER_ADDRESS: origin.host, names.SERVER_PORT: origin.port}
    if operation.name is None:
        return {names.METHOD: method, **found}
    model = asked.get(names.REQUEST_MODEL)
    found = {names.OPERATION_NAME: operation.name, names.PROVIDER_NAME: names.PROVIDER, **found}
    return found if model is None else {**found, names.REQUEST_MODEL: model}


def _error_type(error: Exception) -> str:
    """`error.type`: the status, or the error code if there is none; of other errors, the class."""
    if not isinstance(error, MeshAPIError):
        return type(error).__qualname__
    return str(error.status) if error.status >= 400 else error.error_code
