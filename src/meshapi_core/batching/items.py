"""The result of each request of a batch, typed, in the order asked for.

    the gateway says                             the item has
    a response with a status of 2xx              `value`, read as the endpoint's own response
    a response with another status               `error`, the one that the call itself would raise
    an error without a response                  `error`, a JobFailedError with its code
    nothing, and the batch ended badly           `error`, the batch's own JobFailedError
    nothing, though the batch is completed       `error`, a ResponseDecodeError (`missing_result`)

What ends the loop instead: the batch cannot be looked at, has a status that is not known, or has
not ended when the time limit runs out. If nobody said which requests there are, the last two errors
of the table have no item, and end the loop after all others.

The rows of a file stay bytes until their turn comes, as there may be 50,000.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Generic, Optional, TypeVar, Union, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from meshapi_core._json_kinds import is_mapping, is_object, type_name
from meshapi_core.batching.submission import KINDS, BatchSubmission, custom_id, is_iterable
from meshapi_core.calls import Call
from meshapi_core.envelopes import error_from_response
from meshapi_core.errors import (
    InvalidParamsError,
    JobFailedError,
    MeshAPIError,
    ResponseDecodeError,
)
from meshapi_core.flows.polling import JobKind, Waiting, wait_for
from meshapi_core.flows.steps import Emit, Flow, ItemFlow, Now
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.progress import OnProgress
from meshapi_core.readers import BytesReader, JSONReader, Reader
from meshapi_core.types.batches import BatchObject
from meshapi_core.types.chat import ChatCompletionResponse

__all__ = ["BatchItem", "BatchSource", "Ended", "batch_items", "with_rows"]

T = TypeVar("T")

BatchSource = Union[str, BatchObject, BatchSubmission[Any]]


class BatchItem(Struct, Generic[T], frozen=True):
    """The result of one request of a batch: a response, or an error.

    Fields:
        id: the request's `custom_id`; "call-0", "call-1" and so on for `batches.submit`.
        value: the response; None if there is none.
        error: why there is none; None if there is one. It is not raised, so that the other items
            can be had: `result()` raises it.
    """

    id: str
    value: Optional[T] = None
    error: Optional[MeshAPIError] = None

    def result(self) -> T:
        """Return the response.

        Raises:
            MeshAPIError: `error`.
        """
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Line(Struct):
    custom_id: Any = None


Row = Union[Mapping[str, Any], bytes]
"""What the gateway says about a request: decoded, or JSON."""


class Ended:
    """A batch that has ended, and what the gateway says about its requests.

    Args:
        batch: the batch.
        reader: reads its responses.
        failure: why it ended badly; None if it is completed.
        rows: for each request, its custom ID and the row. The first row with an ID counts.
    """

    def __init__(
        self,
        batch: BatchObject,
        reader: Reader[Any],
        failure: Optional[MeshAPIError],
        rows: Iterable[tuple[Any, Row]],
    ) -> None:
        self.batch = batch
        self.failure = failure
        self._reader = reader
        self._rows: dict[str, Row] = {}
        for name, row in rows:
            if isinstance(name, str):
                self._rows.setdefault(name, row)

    @property
    def names(self) -> Sequence[str]:
        return tuple(self._rows)

    def item(self, name: str, reader: Optional[Reader[Any]] = None) -> BatchItem[Any]:
        """Return the result of a request.

        Args:
            name: its custom ID.
            reader: reads its response; None for that of the batch.
        """
        row = self._rows.get(name)
        if row is None:
            missing = self._missing(f"no result for {name!r}")
            return BatchItem(name, error=self.failure or missing)
        try:
            found = msgspec.json.decode(row) if isinstance(row, bytes) else row
            return BatchItem(name, value=_value_of(found, reader or self._reader, name))
        except _NOT_JSON as exc:
            message = f"the result for {name!r} is not JSON: {exc}"
            return BatchItem(name, error=ResponseDecodeError(message))
        except MeshAPIError as exc:
            return BatchItem(name, error=exc)

    def check_count(self) -> None:
        """Check that there is a row for each request, where nobody has named the requests.

        Raises:
            JobFailedError, ResponseDecodeError: there is not.
        """
        count, total = len(self._rows), (self.batch.request_counts or {}).get("total")
        total = total if type(total) is int else 0
        if self.failure is not None and (not count or count < total):
            raise self.failure
        if count < total:
            raise self._missing(f"results for {count} of its {total} requests")

    def forget_rows(self) -> None:
        """Give up the memory that the rows take."""
        self._rows = {}

    def _missing(self, found: str) -> MeshAPIError:
        message = f"batch {self.batch.id} has {found}"
        return ResponseDecodeError(message, error_code="missing_result", partial=self.batch)


def batch_items(
    source: Any, requests: Any, waiting: Waiting, kind: JobKind[BatchObject]
) -> ItemFlow[BatchItem[Any], list[BatchObject]]:
    """Hand over the results of a batch or a submission; see `batches.results`."""
    functions = yield from waiting.begin("requests")
    names = _names_of(requests)
    given: object = source
    if isinstance(given, BatchSubmission):
        if names is not None:
            hint = "a submission knows the order of its calls"
            raise InvalidParamsError("requests", "", "given together with a submission", hint)
        source.check()
        return (yield from _submitted_items(source, waiting, functions, kind))
    if is_mapping(given) and "batch_ids" in given:
        hint = "write msgspec.convert(x, BatchSubmission)"
        raise InvalidParamsError("batch", "a batch, its ID or a submission", "dict", hint)
    batch_id = kind.id_of("batch", source)
    ended = yield from _end(batch_id, None, waiting, functions, kind)
    for name in ended.names if names is None else names:
        yield Emit(ended.item(name))
    if names is None:
        ended.check_count()
    return [ended.batch]


def _submitted_items(
    submission: BatchSubmission[Any],
    waiting: Waiting,
    functions: tuple[OnProgress, ...],
    kind: JobKind[BatchObject],
) -> ItemFlow[BatchItem[Any], list[BatchObject]]:
    ended: dict[int, Ended] = {}
    last = {place: position for position, place in enumerate(submission.places)}
    begun: float = yield Now()
    for position, place in enumerate(submission.places):
        name = custom_id(position)
        if place < 0:
            message = f"{name} was not submitted; submit it again"
            lost = JobFailedError(message, error_code="not_submitted")
            yield Emit(BatchItem[Any](name, error=lost))
            continue
        if place not in ended:
            now: float = yield Now()
            left = waiting.timeout
            if left is not None:
                left = max(0.0, left - (now - begun))
            ended[place] = yield from _end(
                submission.batch_ids[place],
                KINDS.get(submission.endpoints[place]),
                replace(waiting, timeout=left),
                functions,
                kind,
            )
        yield Emit(ended[place].item(name))
        if position == last[place]:
            ended[place].forget_rows()
    return [ended[place].batch for place in sorted(ended)]


def _end(
    batch_id: str,
    response: Any,
    waiting: Waiting,
    functions: tuple[OnProgress, ...],
    kind: JobKind[BatchObject],
) -> Flow[Ended]:
    """Wait until a batch has ended, well or badly, and return it with its rows."""
    failure: Optional[MeshAPIError] = None
    try:
        batch = yield from wait_for(kind, batch_id, waiting, functions)
    except JobFailedError as exc:
        failure, batch = exc, cast("BatchObject", exc.partial)
    if response is None:
        response = KINDS.get(batch.endpoint or "", ChatCompletionResponse)
    return (yield from with_rows(batch, failure, JSONReader(response)))


def with_rows(
    batch: BatchObject, failure: Optional[MeshAPIError], reader: Reader[Any]
) -> Flow[Ended]:
    """Return a batch that has ended with its rows, which may have to be read from files."""
    told: list[Any] = [*(batch.results or ()), *(batch.errors_detail or ())]
    rows: list[tuple[Any, Row]] = [(row.get("custom_id"), row) for row in told if is_object(row)]
    if batch.results is None:
        # Gateways that keep files have them there.
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                rows += yield from _rows_in(file_id)
    return Ended(batch, reader, failure, rows)


def _rows_in(file_id: str) -> Flow[list[tuple[Any, Row]]]:
    from meshapi_core.endpoints.files import Files

    call: Call[bytes] = replace(Files.content.build(file_id), reader=BytesReader())
    content: bytes = yield call
    rows: list[tuple[Any, Row]] = []
    for line in content.splitlines():
        try:
            if line.strip():
                rows.append((msgspec.json.decode(line, type=_Line).custom_id, line))
        except msgspec.ValidationError:
            # No object, so it is no row.
            continue
        except _NOT_JSON as exc:
            message = f"file {file_id} of the batch is not JSON, line by line: {exc}"
            raise ResponseDecodeError(message) from None
    return rows


def _value_of(row: Mapping[str, Any], reader: Reader[Any], name: str) -> Any:
    """Return the response in a row.

    Raises:
        MeshAPIError: the row has an error, or its response cannot be read.
    """
    response: Any = row.get("response")
    error: Any = row.get("error")
    if is_object(response):
        status: Any = response.get("status_code")
        status = status if type(status) is int else 500 if error else 200
        body = msgspec.json.encode(response.get("body"))
        request_id: Any = response.get("request_id")
        headers = Headers((("x-request-id", request_id),) if isinstance(request_id, str) else ())
        if status >= 300:
            raise error_from_response(status, headers, body)
        return reader.read(Response(status, headers, body))
    told: Mapping[str, Any] = error if is_object(error) else {"message": error}
    message, code = told.get("message"), told.get("code")
    raise JobFailedError(
        message if isinstance(message, str) and message else f"{name} failed",
        error_code=code if isinstance(code, str) and code else None,
        details=[row],
    )


def _names_of(requests: Any) -> Optional[list[str]]:
    """Return the custom IDs of requests, given as such or as IDs.

    Raises:
        InvalidParamsError: they are neither.
    """
    if requests is None:
        return None
    if not is_iterable(requests):
        expected = "requests as for batches.create, or their IDs"
        raise InvalidParamsError("requests", expected, type_name(requests))
    names: list[str] = []
    for position, given in enumerate(requests):
        name: Any = given.get("custom_id") if is_mapping(given) else given
        name = name if isinstance(name, str) else getattr(given, "custom_id", None)
        if not isinstance(name, str):
            where = f"requests[{position}]"
            raise InvalidParamsError(where, "a request or its custom_id", type_name(given))
        names.append(name)
    return names
