"""What the journal of a run records of a call: one line of JSON, which other tools read, too.

    {"key": "6f1c...", "id": "row-17", "status": 200, "output": {"choices": [...], ...},
     "error": null, "usage": {"requests": 1, "input_tokens": 12, "output_tokens": 40},
     "cost": 0.00031, "attempts": 1, "request_id": "req_...", "elapsed": 0.82,
     "content_type": "application/json"}

`output` is the body of the response: as it came, if it is JSON. Other text is a JSON string, and
`output_encoding` is "text"; bytes are in base64, and it is "base64". A failed call has an `error`
with `type`, `code` and `message`, and with the body as its `response`.

Of the headers, only the content type and the request ID are recorded.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, Optional, TypeVar, Union, cast

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from meshapi_core import errors
from meshapi_core._base_error import MeshAPIError
from meshapi_core._raw_data import sent_of
from meshapi_core.calls import Call
from meshapi_core.content_codings import decoded
from meshapi_core.errors import APIStatusError, ResponseDecodeError
from meshapi_core.headers import Headers
from meshapi_core.messages import SUCCESS, Response
from meshapi_core.redaction import LEAST
from meshapi_core.usage.totals import TotalUsage

__all__ = ["Record", "RecordedError", "line_of", "read_line"]

T = TypeVar("T")

_MOST_BYTES: Final = 256 * 1024 * 1024
"""As much as a call reads of one response."""

_DEEP: Final = 400
"""Levels of JSON that must be left within Python's limit, which is 1,000 by default and counts
calls of functions, too: the journal may be read in a deeper place than it is written in."""

_NOTHING: Final = Decimal(0)
_NULL: Final = Raw(b"null")
_NO_BODY: Final = Raw(b"")
_MARK: Final = b"***"

_COMMON: Final = frozenset(vars(MeshAPIError(""))) | {
    *("attempts", "elapsed", "raw", "raw_body", "response", "retry_quota_exhausted"),
    "stream_status",
}
"""Attributes of errors that a record has elsewhere, or that come from the response again."""


class RecordedError(Struct, frozen=True, kw_only=True):
    """A recorded error.

    Fields:
        type: the name of its class.
        code, message: as `error_code` and `message` of the error.
        retry_after_seconds: as of the error.
        facts: the attributes of its class, such as the `phase` of a timeout.
    """

    type: str
    code: str
    message: str
    retry_after_seconds: Optional[float] = None
    facts: dict[str, Union[str, int, float, None]] = {}


class Record(Struct, frozen=True, kw_only=True):
    """What is recorded of a call that has ended.

    Fields:
        key: of the call.
        id: of the item.
        status: of the response; 0 if there was none.
        body: of the response, not compressed. For a failed call, as much as its error kept.
        content_type, request_id: from the headers; "" where they had none.
        error: None if the call succeeded.
        usage, cost: of the call; the cost is None where it is not known.
        attempts: how many attempts it took.
        elapsed: seconds, with all attempts.
    """

    key: str
    id: str
    status: int = 0
    body: bytes = b""
    content_type: str = ""
    request_id: str = ""
    error: Optional[RecordedError] = None
    usage: TotalUsage = TotalUsage()
    cost: Optional[Decimal] = None
    attempts: int = 0
    elapsed: float = 0.0

    def __repr__(self) -> str:
        # Without the body, which may quote what was sent.
        return f"<Record {self.key} {'failed' if self.error else 'ok'}>"

    @classmethod
    def of_response(
        cls,
        key: str,
        item_id: str,
        response: Response,
        *,
        usage: TotalUsage = TotalUsage(),  # noqa: B008 - immutable
        cost: Optional[Decimal] = None,
        secrets: Iterable[str] = (),
    ) -> "Record":
        """Return the record of a call that succeeded.

        Args:
            response: as the call read it.
            secrets: are replaced, in case that the gateway quotes them.
        """
        response = decoded(response, _MOST_BYTES)
        meta = response.meta
        return cls(
            key=key,
            id=item_id,
            status=response.status,
            body=_without(response.body, secrets),
            content_type=_plain_without(response.headers.get("content-type", ""), secrets),
            request_id=_plain_without(meta.request_id, secrets),
            usage=usage,
            cost=cost,
            attempts=response.attempts,
            elapsed=response.elapsed,
        )

    @classmethod
    def of_error(
        cls,
        key: str,
        item_id: str,
        error: MeshAPIError,
        *,
        usage: TotalUsage = TotalUsage(),  # noqa: B008 - immutable
        cost: Optional[Decimal] = None,
        secrets: Iterable[str] = (),
    ) -> "Record":
        """Return the record of a call that failed.

        Args:
            error: as the call raised it, without the client's secrets.
            secrets: are replaced in the body, nevertheless.
        """
        facts = {
            name: _plain(value) if isinstance(value, str) else value
            for name, value in vars(error).items()
            if name not in _COMMON and isinstance(value, (str, int, float, type(None)))
        }
        told = RecordedError(
            type=type(error).__name__,
            code=error.error_code,
            message=error.message,
            retry_after_seconds=error.retry_after_seconds,
            facts=facts,
        )
        meta = error.meta
        return cls(
            key=key,
            id=item_id,
            status=meta.status,
            body=_without(_body_of(error), secrets),
            content_type=_plain_without(meta.headers.get("content-type", ""), secrets),
            request_id=_plain_without(error.request_id, secrets),
            error=told,
            usage=usage,
            cost=cost,
            attempts=error.attempts,
            elapsed=error.elapsed,
        )

    def response(self) -> Response:
        """Return the response as it was, with the headers that are recorded."""
        # Names as bytes are looked up quickly.
        headers: list[tuple[Union[str, bytes], Union[str, bytes]]] = []
        if self.content_type:
            headers.append((b"content-type", self.content_type))
        if self.request_id:
            headers.append((b"x-request-id", self.request_id))
        return Response(
            self.status,
            Headers(headers),
            self.body,
            attempts=self.attempts,
            elapsed=self.elapsed,
        )

    def value(self, call: Call[T]) -> T:
        """Return the result of the call, as it was. Raises as `Call.read`."""
        return call.read(self.response())

    def failure(self, call: Call[Any]) -> MeshAPIError:
        """Return the error of a failed call, as it was: of the same class, code and message."""
        told = self.error
        if told is None:
            raise ValueError(f"the call {self.key} has not failed")
        error = self._read_failure(call)
        if error is None or (type(error).__name__, error.error_code) != (told.type, told.code):
            error = _built(told, self)
        error.message = told.message
        error.args = (told.message,)
        error.status = self.status
        error.request_id = self.request_id
        error.retry_after_seconds = told.retry_after_seconds
        error.attempts, error.elapsed = self.attempts, self.elapsed
        return error

    def _read_failure(self, call: Call[Any]) -> Optional[MeshAPIError]:
        """Return the error that the recorded response is; None where there is none."""
        if not self.status:
            return None
        if self.status not in SUCCESS:
            return call.refusal(self.response())
        try:
            call.read(self.response())
        except MeshAPIError as exc:
            return exc
        return None


class _UsageFields(Struct):
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: Union[int, UnsetType] = UNSET
    reasoning_tokens: Union[int, UnsetType] = UNSET
    cost_usd: Union[Decimal, UnsetType] = UNSET
    unpriced: Union[int, UnsetType] = UNSET
    estimated: Union[int, UnsetType] = UNSET

    @classmethod
    def of(cls, usage: TotalUsage) -> "_UsageFields":
        return cls(
            usage.requests,
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_tokens or UNSET,
            usage.reasoning_tokens or UNSET,
            usage.cost_usd or UNSET,
            usage.unpriced or UNSET,
            usage.estimated or UNSET,
        )

    def usage(self) -> TotalUsage:
        return TotalUsage(
            requests=self.requests,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cached_tokens=self.cached_tokens or 0,
            reasoning_tokens=self.reasoning_tokens or 0,
            cost_usd=self.cost_usd or _NOTHING,
            unpriced=self.unpriced or 0,
            estimated=self.estimated or 0,
        )


class _ErrorFields(Struct):
    type: str
    code: str
    message: str
    retry_after_seconds: Union[float, None, UnsetType] = UNSET
    facts: Union[dict[str, Any], UnsetType] = UNSET
    response: Union[Raw, UnsetType] = UNSET
    response_encoding: Union[str, UnsetType] = UNSET


class _RecordFields(Struct):
    key: str
    id: str = ""
    status: int = 0
    output: Raw = _NULL
    error: Optional[_ErrorFields] = None
    usage: Optional[_UsageFields] = None
    cost: Optional[Decimal] = None
    attempts: int = 0
    request_id: str = ""
    elapsed: float = 0.0
    content_type: str = ""
    output_encoding: Union[str, UnsetType] = UNSET


# Other tools add up what numbers say.
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_DECODER: Final = msgspec.json.Decoder(_RecordFields)
_RAW: Final = msgspec.json.Decoder(Raw)


def line_of(record: Record) -> bytes:
    """Return the line of a record, with its line feed."""
    packed, encoding = _packed(record.body)
    told = record.error
    fields = _RecordFields(
        record.key,
        _plain(record.id),
        record.status,
        _NULL if told else packed,
        None,
        _UsageFields.of(record.usage),
        record.cost,
        record.attempts,
        _plain(record.request_id),
        record.elapsed,
        record.content_type,
        UNSET if told else encoding,
    )
    if told is not None:
        fields.error = _ErrorFields(
            told.type,
            _plain(told.code),
            _plain(told.message),
            UNSET if told.retry_after_seconds is None else told.retry_after_seconds,
            told.facts or UNSET,
            packed if record.body else UNSET,
            encoding if record.body else UNSET,
        )
    return _ENCODER.encode(fields) + b"\n"


def read_line(line: bytes) -> Record:
    """Return the record in a line.

    Raises:
        ValueError: it is not that of a record.
    """
    fields = _DECODER.decode(line)
    told, error = fields.error, None
    packed, encoding = fields.output, fields.output_encoding
    if told is not None:
        error = RecordedError(
            type=told.type,
            code=told.code,
            message=told.message,
            retry_after_seconds=_given(told.retry_after_seconds, None),
            facts=_given(told.facts, {}),
        )
        packed, encoding = _given(told.response, _NO_BODY), told.response_encoding
    return Record(
        key=fields.key,
        id=fields.id,
        status=fields.status,
        body=_unpacked(packed, encoding),
        content_type=fields.content_type,
        request_id=fields.request_id,
        error=error,
        usage=TotalUsage() if fields.usage is None else fields.usage.usage(),
        cost=fields.cost,
        attempts=fields.attempts,
        elapsed=fields.elapsed,
    )


def _packed(body: bytes) -> tuple[Raw, Union[str, UnsetType]]:
    """Return a body as JSON on one line, and how it was encoded; UNSET if it is JSON itself."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return Raw(b'"%b"' % b64encode(body)), "base64"
    try:
        _RAW.decode(body)
        if body.count(b"[") + body.count(b"{") > _DEEP:
            _RAW.decode(_DEEP * b"[" + body + _DEEP * b"]")
    except (msgspec.MsgspecError, RecursionError):
        return Raw(msgspec.json.encode(text)), "text"
    # In JSON, a line break can only stand between values.
    return Raw(body.replace(b"\n", b" ").replace(b"\r", b" ")), UNSET


def _unpacked(packed: Raw, encoding: Union[str, UnsetType]) -> bytes:
    if encoding is UNSET:
        return bytes(packed)
    text = msgspec.json.decode(packed, type=str)
    if encoding == "text":
        return text.encode()
    if encoding == "base64":
        return b64decode(text, validate=True)
    raise ValueError(f"unknown encoding {encoding!r}")


def _body_of(error: MeshAPIError) -> bytes:
    """Return as much of the response as an error has kept."""
    if isinstance(error, ResponseDecodeError):
        return error.raw_body
    if isinstance(error, APIStatusError):
        return _body_of_raw(error.raw)
    # What the model said instead of a value.
    response: object = getattr(error, "response", None)
    sent = None if response is None or not hasattr(response, "__dict__") else sent_of(response)
    return b"" if sent is None else sent[0] or b""


def _body_of_raw(raw: Any) -> bytes:
    if raw is None:
        return b""
    if isinstance(raw, str):
        return raw.encode("utf-8", "replace")
    try:
        return msgspec.json.encode(raw)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return b""


def _built(told: RecordedError, record: Record) -> MeshAPIError:
    """Return an error that no response says, such as a timeout."""
    found: Any = getattr(errors, told.type, None)
    is_known = isinstance(found, type) and issubclass(cast("type[Any]", found), MeshAPIError)
    kind: Any = cast(Any, found) if is_known else MeshAPIError
    try:
        error: MeshAPIError = kind(told.message, error_code=told.code, **told.facts)
    except TypeError:
        return MeshAPIError(told.message, error_code=told.code)
    if isinstance(error, ResponseDecodeError):
        error.raw_body = record.body
    return error


def _without(body: bytes, secrets: Iterable[str]) -> bytes:
    for secret in secrets:
        plain = str.encode(secret, "utf-8", "surrogatepass")
        if len(plain) >= LEAST and plain in body:
            body = body.replace(plain, _MARK)
    return body


def _plain_without(text: str, secrets: Iterable[str]) -> str:
    """Return a header's value as it may be recorded."""
    return _without(_plain(text).encode(), secrets).decode("utf-8", "replace") if text else text


def _given(value: Union[T, UnsetType], default: T) -> T:
    return default if value is UNSET else value


def _plain(text: str) -> str:
    """Return a text as UTF-8 can encode it."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
