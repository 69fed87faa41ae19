"""The span of one call, from its first attempt to its end, and its metrics.

What OpenTelemetry raises never reaches the program: its API promises not to raise, and a processor
of the program's that breaks that promise must not break a call.
"""

from typing import Any, Final, Optional

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from meshapi.telemetry import content, names
from meshapi.telemetry.attributes import Attributes, ResponseFacts, fields_of, request_attributes
from meshapi.telemetry.instruments import Instruments, Measured
from meshapi.telemetry.names import Operation, operation_of, span_name
from meshapi.telemetry.options import Settings
from meshapi_core import MeshAPIError, __version__

__all__ = ["CallSpan", "Telemetry"]

_SCOPE: Final = "meshapi"
_W3C: Final = TraceContextTextMapPropagator()


class Telemetry:
    """The tracer and the instruments of a client."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tracer = trace.get_tracer(_SCOPE, __version__, settings.tracer_provider)
        meter = metrics.get_meter(_SCOPE, __version__, settings.meter_provider)
        self.instruments = Instruments(meter, settings.names)

    def begin(
        self, method: str, path: str, body: object, host: str, port: int, *, streaming: bool
    ) -> "CallSpan":
        """Start the span of a call, as a child of the current one.

        Args:
            method, path: of the endpoint.
            body: the JSON of the request, if it has some.
            host, port: the gateway.
            streaming: whether the response is a stream.
        """
        return CallSpan(self, method, path, body, host, port, streaming=streaming)


class CallSpan:
    """The span of one call."""

    def __init__(
        self,
        telemetry: Telemetry,
        method: str,
        path: str,
        body: object,
        host: str,
        port: int,
        *,
        streaming: bool,
    ) -> None:
        self._telemetry = telemetry
        self._operation = operation = operation_of(method, path)
        self._facts = ResponseFacts()
        self._last_chunk: Optional[float] = None
        self._said: list[str] = []
        self._said_size = 0
        runs_model = operation.name is not None
        fields = fields_of(body) if runs_model else {}
        asked = request_attributes(fields, operation, streaming=streaming) if runs_model else {}
        self._shared = _shared(operation, method, host, port, asked)
        model = asked.get(names.REQUEST_MODEL)
        name = span_name(operation, method, path, model)
        if not runs_model:
            asked[names.PATH] = path
        self._span = telemetry.tracer.start_span(
            name, kind=SpanKind.CLIENT, attributes={**self._shared, **asked}
        )
        settings = telemetry.settings
        if self._span.is_recording():
            if settings.conversation_id is not None and runs_model:
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

    def retried(self, error: MeshAPIError, attempt: int, delay: float) -> None:
        """An attempt has failed, and another one follows after a wait.

        Args:
            error: why the attempt failed.
            attempt: the number of the attempt that follows, counted from 1.
            delay: seconds until it begins.
        """
        found: Attributes = {
            names.ERROR_TYPE: _error_type(error),
            names.RESEND_COUNT: attempt - 1,
            names.RETRY_DELAY: delay,
        }
        self._span.add_event(names.RETRY_EVENT, found)

    def response(self, status: int, request_id: str) -> None:
        """The head of a response has come."""
        self._span.set_attribute(names.STATUS, status)
        if request_id:
            self._span.set_attribute(names.REQUEST_ID, request_id)

    def chunk(self, value: object, elapsed: float) -> None:
        """A chunk of a stream has come, this many seconds after the call began."""
        since = self._last_chunk
        if since is None:
            self._span.set_attribute(names.TIME_TO_FIRST_CHUNK, elapsed)
            self._record("first_chunk", elapsed)
        else:
            self._record("per_chunk", elapsed - since)
        self._last_chunk = elapsed
        self._facts.take(value)
        text = getattr(value, "text", None)
        limit = self._telemetry.settings.max_content_bytes
        if self._telemetry.settings.content and isinstance(text, str) and self._said_size < limit:
            self._said.append(text)
            self._said_size += len(text)

    def succeeded(self, value: object, attempts: int, elapsed: float) -> None:
        """The call has ended well; of a stream, `value` is None."""
        self._facts.take(value)
        if self._telemetry.settings.content and self._span.is_recording():
            self._set(names.OUTPUT_MESSAGES, self._output(value))
        self._end(attempts, elapsed)

    def failed(self, error: BaseException, attempts: int, elapsed: float) -> None:
        """The call has failed."""
        kind = _error_type(error)
        self._shared[names.ERROR_TYPE] = kind
        self._span.set_attribute(names.ERROR_TYPE, kind)
        if isinstance(error, MeshAPIError):
            self._span.set_attribute(names.ERROR_CODE, error.error_code)
            # Without the server's words, which may quote the request.
            self._span.set_status(Status(StatusCode.ERROR, error.error_code))
        else:
            self._span.set_status(Status(StatusCode.ERROR, kind))
        self._end(attempts, elapsed)

    def _end(self, attempts: int, elapsed: float) -> None:
        found = self._facts.attributes()
        self._span.set_attributes({**found, names.ATTEMPTS: attempts})
        model = found.get(names.RESPONSE_MODEL)
        if model is not None:
            self._shared[names.RESPONSE_MODEL] = model
        self._record("duration", elapsed)
        counts: tuple[tuple[Measured, Optional[int]], ...] = (
            ("input", self._facts.input_tokens),
            ("output", self._facts.output_tokens),
        )
        for measured, count in counts:
            if count is not None:
                shared = {k: v for k, v in self._shared.items() if k != names.ERROR_TYPE}
                self._telemetry.instruments.record(self._operation.metrics, measured, count, shared)
        self._span.end()

    def _record(self, measured: Measured, value: float) -> None:
        if self._operation.name is not None:
            self._telemetry.instruments.record(
                self._operation.metrics, measured, value, self._shared
            )

    def _output(self, value: object) -> list[Any]:
        if self._said:
            return [content.output_message("".join(self._said), None)]
        raw = getattr(value, "raw", None)
        return content.output_messages(raw)

    def _set(self, name: str, items: list[Any]) -> None:
        if not items:
            return
        encoded = content.encode(items, self._telemetry.settings.max_content_bytes)
        self._span.set_attribute(name, encoded.text)
        if encoded.truncated:
            self._span.set_attribute(names.TRUNCATED, True)


def _shared(
    operation: Operation, method: str, host: str, port: int, asked: Attributes
) -> Attributes:
    """The attributes that a span and its metrics have in common."""
    found: Attributes = {names.SERVER_ADDRESS: host, names.SERVER_PORT: port}
    if operation.name is None:
        return {names.METHOD: method, **found}
    model = asked.get(names.REQUEST_MODEL)
    found = {names.OPERATION_NAME: operation.name, names.PROVIDER_NAME: names.PROVIDER, **found}
    return found if model is None else {**found, names.REQUEST_MODEL: model}


def _error_type(error: BaseException) -> str:
    """`error.type`: the status, or the error code if there is none; the class of other errors."""
    if isinstance(error, MeshAPIError):
        return str(error.status) if error.status >= 400 else error.error_code
    return type(error).__qualname__
