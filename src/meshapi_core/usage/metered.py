"""The usage of one call, from its notices: see `meshapi_core.observing`.

A call asks one model or, if it compares, several; a realtime session asks one again and again. Each
of these is a request. While the call goes on, more becomes known of its requests. A change is a
pair of what was known before and what is known now, so that sums can follow.

A request goes by the name of the model that was asked, which has the price; by that of the chosen
model for `model="auto"`; and by that in the response if the request names none.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Optional, Union

import msgspec
from msgspec import Struct
from typing_extensions import TypeAlias

from meshapi_core._json_kinds import is_array
from meshapi_core.calls import AnyCall
from meshapi_core.errors import APIStatusError, MeshAPIError, StructuredOutputError
from meshapi_core.multipart import Multipart
from meshapi_core.observing.notices import (
    CallClosed,
    CallFailed,
    CallSucceeded,
    ItemReceived,
    Notice,
    ResponseStarted,
)
from meshapi_core.types import ChatCompletionChunk
from meshapi_core.usage.prices import PriceList
from meshapi_core.usage.reading import (
    TokenCounts,
    cost_in,
    head_of,
    text_of,
    token_counts,
    value_of,
)
from meshapi_core.usage.totals import TotalUsage

__all__ = ["CallUsage", "Changes", "RequestUsage", "call_usage"]

MODEL_PATHS: Final = frozenset(
    {
        "/v1/audio/speech",
        "/v1/audio/transcriptions",
        "/v1/audio/transcriptions/translate",
        "/v1/audio/translations",
        "/v1/batches",
        "/v1/chat/compare",
        "/v1/chat/completions",
        "/v1/documents/generate",
        "/v1/embeddings",
        "/v1/files/embed",
        "/v1/files/search",
        "/v1/images/edits",
        "/v1/images/generations",
        "/v1/moderations",
        "/v1/responses",
        "/v1/router/select",
        "/v1/video/generations",
        "/v1/web/search",
    }
)
"""Where a POST may cost something. Reading lists, files and the state of a job does not."""

_COMPARE: Final = "/v1/chat/compare"
_ROUTERS: Final = frozenset({"", "auto"})

_NOTHING: Final = Decimal(0)

_NOT_SENT: Final = ("connect", "dns", "pool", "proxy", "tls")
"""How the error codes of attempts begin whose request never left."""


class RequestUsage(Struct, frozen=True, kw_only=True):
    """What is known of one request to a model.

    Fields:
        model: its ID.
        tokens: as far as the gateway told.
        cost: in US dollars; None if the gateway has not told.
        ended: whether no more will be known.
        free: whether a request that ended without a cost has cost nothing: it failed.
    """

    model: str
    tokens: Optional[TokenCounts] = None
    cost: Optional[Decimal] = None
    ended: bool = False
    free: bool = False

    def usage(self, prices: PriceList) -> TotalUsage:
        """Return it as usage; where the cost is not known, with an estimate if there is a price."""
        unknown = self.ended and not self.free and self.cost is None
        estimate = prices.cost(self.model, self.tokens) if unknown else None
        tokens = self.tokens or TokenCounts()
        return TotalUsage(
            requests=1,
            input_tokens=tokens.input or 0,
            output_tokens=tokens.output or 0,
            cached_tokens=tokens.cache_read or 0,
            reasoning_tokens=tokens.reasoning or 0,
            cost_usd=self.cost or estimate or _NOTHING,
            unpriced=int(unknown and estimate is None),
            estimated=int(estimate is not None),
            in_progress=int(not self.ended),
        )

    def read(self, record: object) -> "RequestUsage":
        """Return it with what a part of the response says of its `usage` and cost."""
        tokens, cost = token_counts(value_of(record, "usage")), cost_in(record)
        if tokens is None and cost is None:
            return self
        changes = {"tokens": tokens or self.tokens, "cost": self.cost if cost is None else cost}
        return msgspec.structs.replace(self, **changes)

    def end(self, *, may_cost: bool) -> "RequestUsage":
        """Return it as one of which no more will be known."""
        free = self.free or not (may_cost or self.tokens is not None)
        return msgspec.structs.replace(self, ended=True, free=free)


Changes: TypeAlias = list[tuple[Optional[RequestUsage], Optional[RequestUsage]]]
"""What was known of some requests, and what is known now; None is no request."""


class CallUsage:
    """The usage of one call to models. Make it with `call_usage`.

    Args:
        requests: those that it begins with, each by a key that stays the same.
    """

    def __init__(self, requests: Mapping[str, RequestUsage]) -> None:
        self._requests = dict(requests)

    def begin(self) -> Changes:
        """Return the requests that the call begins with."""
        return [(None, request) for request in self._requests.values()]

    def receive(self, notice: Notice) -> Changes:
        """Take what has happened in the call, and return what is known in place of what was."""
        before = self._requests
        if isinstance(notice, ItemReceived):
            self._take_item(notice.value)
        elif isinstance(notice, ResponseStarted):
            self._take_head(notice)
        elif isinstance(notice, CallSucceeded):
            if notice.response is not None and notice.response.body:
                self._take_body(notice.response.body)
            self._end(may_cost=True)
        elif isinstance(notice, (CallClosed, CallFailed)):
            if notice.attempt == 0:
                self._requests = {}
            else:
                self._take_answer(notice.error if isinstance(notice, CallFailed) else None)
                self._end(may_cost=_may_cost(notice))
        now = self._requests
        if now is before:
            return []
        pairs = ((before.get(key), now.get(key)) for key in {**before, **now})
        return [pair for pair in pairs if pair[0] is not pair[1]]

    def ended(
        self, body: Optional[bytes], value: object = None, error: Optional[Exception] = None
    ) -> list[RequestUsage]:
        """Return the requests of a call that is over, and whose notices were not received.

        Args:
            body: of its response, if it is still there.
            value: its typed response, which counts where there is no body.
            error: why it failed; None if it did not.
        """
        if error is None and body:
            self._take_body(body)
        elif error is None and value is not None:
            self._take_item(value)
        self._take_answer(error)
        self._end(may_cost=error is None or _error_may_cost(error))
        return [*self._requests.values()]

    def _take_answer(self, error: Optional[BaseException]) -> None:
        """Take the response in an error: the model has answered, but gave no value of the type."""
        if isinstance(error, StructuredOutputError) and error.response is not None:
            self._take_item(error.response)

    def _set(self, key: str, request: RequestUsage) -> None:
        if self._requests.get(key) is not request:
            self._requests = {**self._requests, key: request}

    def _take_head(self, notice: ResponseStarted) -> None:
        pass

    def _take_item(self, item: object) -> None:
        raise NotImplementedError

    def _take_body(self, body: bytes) -> None:
        pass

    def _end(self, *, may_cost: bool) -> None:
        ended = {key: one.end(may_cost=may_cost) for key, one in self._requests.items()}
        self._requests = ended


class _OneModel(CallUsage):
    """The usage of a call to one model."""

    def __init__(self, asked: str, path: str) -> None:
        self._is_routed, self._has_model = asked in _ROUTERS, False
        super().__init__({"": RequestUsage(model=asked or path)})

    def _take_head(self, notice: ResponseStarted) -> None:
        self._name(text_of(notice.headers, "x-resolved-model-id"))

    def _name(self, model: str) -> None:
        if model:
            self._has_model = True
            self._set("", msgspec.structs.replace(self._requests[""], model=model))

    def _take_item(self, item: object) -> None:
        if isinstance(item, ChatCompletionChunk):
            # There may be thousands of chunks, and only the first and the last say more.
            if item.usage is None and item.cost is None and self._has_model:
                return
        elif isinstance(item, bytes):
            return
        self._take(item)
        # An event of a streamed response may have all of it.
        whole = value_of(item, "response")
        if whole is not None:
            self._take(whole)

    def _take_body(self, body: bytes) -> None:
        head = head_of(body)
        if head is not None:
            self._take(head)

    def _take(self, record: object) -> None:
        self._name(text_of(record, "x_resolved_model_id"))
        if not self._has_model:
            found = text_of(record, "model")
            self._has_model = bool(found)
            if self._is_routed:
                self._name(found)
        self._set("", self._requests[""].read(record))


class _Comparison(CallUsage):
    """The usage of a comparison, which asks several models, and one more to compare them."""

    def __init__(self, asked: "_Asked") -> None:
        models = asked.models if is_array(asked.models) else []
        requests = {name: RequestUsage(model=name) for name in models if isinstance(name, str)}
        if asked.skip_comparison is not True:
            requests[_COMPARE] = RequestUsage(model=text_of(asked, "comparison_model") or _COMPARE)
        super().__init__(requests)

    def _take_item(self, item: object) -> None:
        self._take(text_of(item, "model") or _COMPARE, item)
        self._take_whole(value_of(item, "data"))

    def _take_body(self, body: bytes) -> None:
        try:
            self._take_whole(msgspec.json.decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return

    def _take_whole(self, record: object) -> None:
        rows: object = value_of(record, "results")
        for row in rows if is_array(rows) else ():
            self._take(text_of(row, "model"), row)
        told = {"usage": value_of(record, "comparison_usage")}
        self._take(_COMPARE, told, text_of(record, "comparison_model"))

    def _take(self, key: str, row: object, model: str = "") -> None:
        known = self._requests.get(key)
        if known is None:
            return
        request = known.read(value_of(row, "response_body")).read(row)
        if value_of(row, "error") and request.tokens is None:
            request = msgspec.structs.replace(request, free=True)
        if model and model != request.model:
            request = msgspec.structs.replace(request, model=model)
        self._set(key, request)


class _Session(CallUsage):
    """The usage of a realtime session: each of its responses is a request."""

    def __init__(self, model: str) -> None:
        super().__init__({})
        self._model = model

    def receive(self, notice: Notice) -> Changes:
        """Take what has happened in the session; only the end of a response is usage."""
        event = value_of(notice.value, "event") if isinstance(notice, ItemReceived) else None
        if value_of(event, "type") != "response.done":
            return []
        request = RequestUsage(model=self._model).read(value_of(event, "response"))
        return [(None, request.end(may_cost=True))]


def _may_cost(notice: Union[CallClosed, CallFailed]) -> bool:
    """Whether a request that brought no whole response may have cost something."""
    if isinstance(notice, CallClosed) or notice.items:
        return True
    return _error_may_cost(notice.error)


def _error_may_cost(error: Exception) -> bool:
    if isinstance(error, APIStatusError) or not isinstance(error, MeshAPIError):
        return False
    return not error.error_code.startswith(_NOT_SENT)


class _Asked(Struct):
    model: Any = None
    models: Any = None
    comparison_model: Any = None
    skip_comparison: Any = None


def call_usage(call: AnyCall[Any]) -> Optional[CallUsage]:
    """Return the usage of a call that begins; None if the call runs no model."""
    if call.upgrades:
        return _Session(text_of(call, "model"))
    path = text_of(call, "path").partition("?")[0]
    if call.method != "POST" or path not in MODEL_PATHS:
        return None
    asked = _asked(value_of(call, "body"))
    return _Comparison(asked) if path == _COMPARE else _OneModel(text_of(asked, "model"), path)


def _asked(body: object) -> _Asked:
    """The models that a request names."""
    if isinstance(body, Multipart):
        return _Asked(model=dict(body.fields).get("model"))
    try:
        return msgspec.json.decode(body if isinstance(body, bytes) else b"", type=_Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Asked()
