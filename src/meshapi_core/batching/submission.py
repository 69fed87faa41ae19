"""Calls, split into batches and submitted.

A batch is for one endpoint and one model, has at most `MOST_BATCH_REQUESTS` requests, and is sent
as a body of at most `MOST_BATCH_BYTES`. A call that fits into no batch is refused before anything
is sent. If the gateway has as many open batches of this account as it allows
(`batch_limit_exceeded`), the flow pauses until it takes one more.

Source: https://developers.meshapi.ai/docs (batches; errors: `mixed_models`, `batch_limit_exceeded`)
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Generic, Optional, TypeVar

import msgspec
from msgspec import Struct

from meshapi_core._json_kinds import type_name
from meshapi_core.calls import Call, StreamCall
from meshapi_core.errors import (
    InvalidParamsError,
    JobTimeoutError,
    MeshAPIError,
    RateLimitError,
    ResponseDecodeError,
)
from meshapi_core.flows.polling import Polling, Waiting, random_number
from meshapi_core.flows.steps import Flow, Now, Pause
from meshapi_core.params.encoding import build_params
from meshapi_core.progress import Progress, tell_progress
from meshapi_core.readers import JSONReader
from meshapi_core.types.batches import BatchObject, CreateBatchParams
from meshapi_core.types.chat import ChatCompletionResponse
from meshapi_core.types.embeddings import EmbeddingsResponse
from meshapi_core.types.responses import ResponsesResponse

__all__ = [
    "KINDS",
    "MOST_BATCH_BYTES",
    "MOST_BATCH_REQUESTS",
    "NOT_SUBMITTED",
    "BatchSubmission",
    "batch_call",
    "batch_id_of",
    "batch_options",
    "check_iterable",
    "custom_id",
    "is_iterable",
    "row_of",
    "submitted",
]

T = TypeVar("T")

KINDS: Final[Mapping[str, Any]] = {
    "/v1/chat/completions": ChatCompletionResponse,
    "/v1/embeddings": EmbeddingsResponse,
    "/v1/responses": ResponsesResponse,
}
"""The endpoints whose calls can be in a batch, and the types of their responses."""

MOST_BATCH_REQUESTS: Final = 50_000
"""The requests of one batch; the limit of OpenAI's batches, which gateways keep to."""

MOST_BATCH_BYTES: Final = 32 * 1024 * 1024 - 64 * 1024
"""The rows of one batch: gateways refuse bodies of more than 32 MiB, and metadata goes along."""

_PATH: Final = "/v1/batches"
NOT_SUBMITTED: Final = -1
"""The place of a call that is in no batch."""


class BatchSubmission(Struct, Generic[T], frozen=True):
    """What `batches.submit` returns: the batches that the calls are in, for `batches.results`.

    It holds no client and no request, so it can be pickled, or stored as JSON
    (`msgspec.json.encode`), for another program to get the results.

    Fields:
        batch_ids: the batches, in the order in which they were made.
        endpoints: the path of each batch's endpoint.
        places: for each call, the number of its batch in `batch_ids`; -1 if an error came before it
            was submitted.
    """

    batch_ids: tuple[str, ...]
    endpoints: tuple[str, ...]
    places: tuple[int, ...]

    def check(self, parameter: str = "batch") -> None:
        """Check that it is as `submit` made it, and not a part of that.

        Args:
            parameter: the argument that it was passed as, for errors.

        Raises:
            InvalidParamsError: it is not.
        """
        count = len(self.batch_ids)
        in_range = all(NOT_SUBMITTED <= place < count for place in self.places)
        if not in_range or len(self.endpoints) != count:
            expected = "what batches.submit() returned"
            raise InvalidParamsError(
                parameter, expected, "a submission with other batches than calls"
            )


class _Named(Struct):
    """What a request's body says about its model."""

    model: Any = None
    stream: Any = None


class _Row(Struct):
    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


class _Part:
    """One batch to be made, for `submit`."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.positions: list[int] = []
        self._rows: list[bytes] = []
        self._size = 0

    def has_room(self, row: bytes) -> bool:
        return (
            len(self._rows) < MOST_BATCH_REQUESTS and self._size + len(row) + 1 <= MOST_BATCH_BYTES
        )

    def add(self, position: int, row: bytes) -> None:
        self.positions.append(position)
        self._rows.append(row)
        self._size += len(row) + 1

    def call(self, options: Mapping[str, Any]) -> Call[BatchObject]:
        return batch_call(self._rows, options)


def batch_call(rows: Iterable[bytes], options: Mapping[str, Any]) -> Call[BatchObject]:
    """Return the call that makes a batch of these rows."""
    requests = msgspec.Raw(b"[" + b",".join(rows) + b"]")
    body = msgspec.json.encode({"requests": requests, **options})
    reader = JSONReader(BatchObject)
    return Call(method="POST", path=_PATH, body=body, reader=reader, starts_job=True)


def batch_id_of(batch: BatchObject) -> str:
    """Return the ID of a batch that was made.

    Raises:
        ResponseDecodeError: the gateway sent none.
    """
    if not batch.id:
        raise ResponseDecodeError("the gateway made a batch, but sent no ID of it")
    return batch.id


def custom_id(position: int) -> str:
    """Return the name in its batch of a call, by its place among all calls."""
    return f"call-{position}"


def submitted(
    calls: Iterable[Call[T]],
    waiting: Waiting,
    completion_window: Optional[str],
    metadata: Optional[Mapping[str, Any]],
) -> Flow[BatchSubmission[T]]:
    """Submit calls; see `batches.submit`."""
    functions = yield from waiting.begin("requests")
    parts, count = _split(calls)
    options = batch_options(completion_window, metadata)
    state = _State(parts, count)
    now: float = yield Now()
    polling = Polling(now, timeout=waiting.timeout, poll_interval=waiting.poll_interval)
    yield from tell_progress(functions, Progress(0, count, "submitting"))
    for part in parts:
        try:
            batch_id = yield from _made(part.call(options), polling)
        except _TooManyOpen as exc:
            raise state.timed_out(waiting.timeout) from exc.__cause__
        except MeshAPIError as exc:
            exc.partial = state.submission()
            raise
        state.add(batch_id, part)
        told = Progress(state.done, count, "submitted", batch_id)
        yield from tell_progress(functions, told)
    return state.submission()


class _TooManyOpen(Exception):
    """The time is over, and the gateway still takes no further batch."""


def _made(call: Call[BatchObject], polling: Polling) -> Flow[str]:
    """Make a batch, as soon as the gateway takes another one, and return its ID."""
    while True:
        try:
            batch: BatchObject = yield call
        except RateLimitError as exc:
            if exc.error_code != "batch_limit_exceeded":
                raise
            now: float = yield Now()
            pause = polling.pause(now, (yield from random_number()), exc.retry_after_seconds)
            if pause is None:
                raise _TooManyOpen from exc
        else:
            return batch_id_of(batch)
        yield Pause(pause)


class _State:
    """Which batches have been made by now."""

    def __init__(self, parts: list[_Part], count: int) -> None:
        self._left = len(parts)
        self._ids: list[str] = []
        self._endpoints: list[str] = []
        self._places = [NOT_SUBMITTED] * count
        self.done = 0

    def add(self, batch_id: str, part: _Part) -> None:
        for position in part.positions:
            self._places[position] = len(self._ids)
        self._ids.append(batch_id)
        self._endpoints.append(part.endpoint)
        self.done += len(part.positions)
        self._left -= 1

    def submission(self) -> BatchSubmission[Any]:
        return BatchSubmission(tuple(self._ids), tuple(self._endpoints), tuple(self._places))

    def timed_out(self, timeout: Optional[float]) -> MeshAPIError:
        return JobTimeoutError(
            f"{self._left} batches were not submitted within {timeout:g} seconds, because the"
            " gateway had too many open ones; .partial has those that were",
            partial=self.submission(),
        )


def batch_options(
    completion_window: Optional[str], metadata: Optional[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what goes along with every batch.

    Raises:
        InvalidParamsError: an argument is wrong.
    """
    given = {"completion_window": completion_window, "metadata": metadata}
    built = build_params(CreateBatchParams, None, given)
    return {name: built[name] for name in given if built.get(name) is not None}


def _split(calls: Any) -> tuple[list[_Part], int]:
    """Return the batches to be made, and the number of all calls.

    Raises:
        InvalidParamsError: `calls` is not an iterable of calls that can be in a batch.
    """
    check_iterable(calls, "an async iterable must be read first")
    parts: list[_Part] = []
    latest: dict[tuple[str, str], _Part] = {}
    count = 0
    for call in calls:
        endpoint, model, row = row_of(call, f"calls[{count}]", custom_id(count))
        part = latest.get((endpoint, model))
        if part is None or not part.has_room(row):
            part = latest[endpoint, model] = _Part(endpoint)
            parts.append(part)
        part.add(count, row)
        count += 1
    return parts, count


def check_iterable(calls: object, if_async: str) -> None:
    """Check that a program gave several calls.

    Args:
        calls: what it gave.
        if_async: what to do about an async iterable.

    Raises:
        InvalidParamsError: it gave something else.
    """
    if isinstance(calls, (Call, StreamCall)):
        raise InvalidParamsError("calls", "an iterable of calls", "one call", "write [call]")
    if hasattr(calls, "columns") or hasattr(calls, "column_names"):
        # A table iterates over the names of its columns.
        hint = 'write client.map(df.to_dict("records"), template=..., via="batch")'
        raise InvalidParamsError("calls", "an iterable of calls", type_name(calls), hint)
    if not is_iterable(calls):
        hint = if_async if hasattr(calls, "__aiter__") else ""
        raise InvalidParamsError("calls", "an iterable of calls", type_name(calls), hint)


def is_iterable(value: object) -> bool:
    """Return whether a program gave several things: not text, and not one object."""
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def row_of(call: Any, where: str, name: str) -> tuple[str, str, bytes]:
    """Return the endpoint and the model of a call, and its row in a batch.

    Args:
        call: the call.
        where: the place where the program gave it, for errors.
        name: its custom ID in the batch.

    Raises:
        InvalidParamsError: it cannot be in a batch.
    """
    if isinstance(call, StreamCall):
        hint = "a batch has no streams; write create.build(...)"
        raise InvalidParamsError(where, "a call with a whole response", "a stream", hint)
    if not isinstance(call, Call):
        hint = "make it with Completions.create.build(...), from meshapi_core.endpoints"
        if hasattr(call, "keys"):
            hint = "batches.create(requests=[...]) takes dicts"
        raise InvalidParamsError(where, "a Call", type_name(call), hint)
    if call.path not in KINDS or call.method != "POST" or not isinstance(call.body, bytes):
        raise InvalidParamsError(
            where, f"a POST to {', '.join(KINDS)}", f"{call.method} {call.path}"
        )
    if call.starts_job:
        hint = "leave background=True out: a batch runs in the background"
        raise InvalidParamsError(where, "a call that is answered at once", "a job", hint)
    named = msgspec.json.decode(call.body, type=_Named)
    model = named.model if isinstance(named.model, str) else ""
    body = msgspec.Raw(call.body)
    row = msgspec.json.encode(_Row(name, call.method, call.path, body))
    if len(row) >= MOST_BATCH_BYTES:
        expected = f"at most {MOST_BATCH_BYTES} bytes"
        raise InvalidParamsError(where, expected, f"{len(row)} bytes", "no batch can take it")
    return call.path, model, row
