"""The result of each request of a batch, typed, in the order asked for.

    the gateway says                             the item has
    a response with a status of 2xx              `value`, read as the endpoint's own response
    a response with another status               `error`, the one that the call itself would raise
    an error without a response                  `error`, a JobFailedError with its code
    nothing, and the batch ended badly           `error`, the batch's own JobFailedError
    nothing, though the batch is completed       `error`, a ResponseDecodeError (`missing_result`)

What ends the loop instead: the batch cannot be looked at, has a status that is not known, or has
not ended when the time limit runs out.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, Optional, TypeVar, Union, cast

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
from meshapi_core.readers import BytesReader, JSONReader
from meshapi_core.types.batches import BatchObject
from meshapi_core.types.chat import ChatCompletionResponse

__all__ = ["BatchItem", "BatchSource", "batch_items"]

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


class _Ended:
    """A batch that has ended, and what the gateway says about its requests.

    Args:
        kind: the type of its responses.
        failure: why it ended badly; None if it is completed.
        rows: a dict for each request.
    """

    def __init__(
        self, batch: BatchObject, kind: Any, failure: Optional[MeshAPIError], rows: Iterable[Any]
    ) -> None:
        self.batch = batch
        self._kind = kind
        self._failure = failure
        self._rows: dict[str, Mapping[str, Any]] = {}
        for row in rows:
            name: Any = row.get("custom_id") if is_object(row) else None
            if isinstance(name, str):
                self._rows.setdefault(name, row)

    @property
    def names(self) -> Iterable[str]:
        return tuple(self._rows)

    def item(self, name: str) -> BatchItem[Any]:
        row = self._rows.get(name)
        if row is None:
            message = f"batch {self.batch.id} has no result for {name!r}"
            missing = ResponseDecodeError(message, error_code="missing_result")
            return BatchItem(name, error=self._failure or missing)
        try:
            return BatchItem(name, value=_value_of(row, self._kind, name))
        except MeshAPIError as exc:
            return BatchItem(name, error=exc)


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
        return (yield from _submitted_items(source, waiting, functions, kind))
    batch_id = kind.id_of("batch", source)
    ended = yield from _end(batch_id, None, waiting, functions, kind)
    for name in ended.names if names is None else names:
        yield Emit(ended.item(name))
    return [ended.batch]


def _submitted_items(
    submission: BatchSubmission[Any],
    waiting: Waiting,
    functions: tuple[OnProgress, ...],
    kind: JobKind[BatchObject],
) -> ItemFlow[BatchItem[Any], list[BatchObject]]:
    ended: dict[int, _Ended] = {}
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
    return [ended[place].batch for place in sorted(ended)]


def _end(
    batch_id: str,
    response: Any,
    waiting: Waiting,
    functions: tuple[OnProgress, ...],
    kind: JobKind[BatchObject],
) -> Flow[_Ended]:
    """Wait until a batch has ended, well or badly, and return it with its rows."""
    failure: Optional[MeshAPIError] = None
    try:
        batch = yield from wait_for(kind, batch_id, waiting, functions)
    except JobFailedError as exc:
        failure, batch = exc, cast("BatchObject", exc.partial)
    rows: list[Any] = [*(batch.results or ()), *(batch.errors_detail or ())]
    if batch.results is None:
        # Gateways that keep files have them there.
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                rows += yield from _rows_in(file_id)
    if response is None:
        response = KINDS.get(batch.endpoint or "", ChatCompletionResponse)
    return _Ended(batch, response, failure, rows)


def _rows_in(file_id: str) -> Flow[list[Any]]:
    from meshapi_core.endpoints.files import Files

    call: Call[bytes] = replace(Files.content.build(file_id), reader=BytesReader())
    content: bytes = yield call
    try:
        return [msgspec.json.decode(line) for line in content.splitlines() if line.strip()]
    except msgspec.DecodeError as exc:
        message = f"file {file_id} of the batch is not JSON, line by line: {exc}"
        raise ResponseDecodeError(message) from None


def _value_of(row: Mapping[str, Any], kind: Any, name: str) -> Any:
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
        return JSONReader(kind).read(Response(status, headers, body))
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
