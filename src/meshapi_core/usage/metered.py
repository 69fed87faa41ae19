"""The usage of one call, from its notices: see `meshapi_core.observing`.

What is known of a call are its parts: one for each model that it asks, by the model's name. That is
the model that the request names, so that it is the name of a price, too; the one that the gateway
chose for `model="auto"`; and the one that the response names if the request names none.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Optional, Union

import msgspec
from msgspec import Struct
from typing_extensions import TypeAlias

from meshapi_core.calls import AnyCall
from meshapi_core.errors import APIStatusError, MeshAPIError
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
from meshapi_core.usage.money import added
from meshapi_core.usage.prices import PriceList
from meshapi_core.usage.reading import (
    TokenCounts,
    cost_in,
    head_of,
    text_of,
    token_counts,
    value_of,
)
from meshapi_core.usage.totals import Usage

__all__ = ["CallUsage", "UsagePart", "call_usage", "usages"]

_RUN_MODELS: Final = frozenset(
    {
        ("POST", "/v1/audio/speech"),
        ("POST", "/v1/audio/transcriptions"),
        ("POST", "/v1/audio/transcriptions/translate"),
        ("POST", "/v1/audio/translations"),
        ("POST", "/v1/batches"),
        ("POST", "/v1/chat/compare"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/files/embed"),
        ("POST", "/v1/files/search"),
        ("POST", "/v1/images/edits"),
        ("POST", "/v1/images/generations"),
        ("POST", "/v1/moderations"),
        ("POST", "/v1/responses"),
        ("POST", "/v1/router/select"),
        ("POST", "/v1/video/generations"),
        ("POST", "/v1/web/search"),
    }
)
"""What may cost something. Reading lists, files and the state of a job does not."""

_COMPARE: Final = "/v1/chat/compare"
_ROUTERS: Final = frozenset({"", "auto"})

_NOTHING: Final = Decimal(0)

_NOT_SENT: Final = ("connect", "dns", "pool", "proxy", "tls")
"""How the error codes of attempts begin whose request never left."""


class UsagePart(Struct, frozen=True, kw_only=True):
    """What is known of a call's requests to one model.

    Fields:
        requests: how many.
        tokens: of all of them.
        cost: of those whose cost the gateway said.
        unknown, unknown_tokens: of the others that are complete and may have cost something.
        in_progress: how many are not complete.
    """

    requests: int = 1
    tokens: Optional[TokenCounts] = None
    cost: Decimal = _NOTHING
    unknown: int = 0
    unknown_tokens: Optional[TokenCounts] = None
    in_progress: int = 0

    def usage(self, model: str, prices: Optional[PriceList]) -> Usage:
        """Return it as usage; where the cost is not known, with an estimate if there are prices."""
        tokens, cost, estimate = self.tokens or TokenCounts(), self.cost, None
        if self.unknown and prices is not None:
            estimate = prices.cost(model, self.unknown_tokens, self.unknown)
        if estimate is not None:
            cost = added(cost, estimate)
        return Usage(
            requests=self.requests,
            input_tokens=tokens.input or 0,
            output_tokens=tokens.output or 0,
            cached_tokens=tokens.cache_read or 0,
            reasoning_tokens=tokens.reasoning or 0,
            cost_usd=cost,
            unpriced=self.unknown if estimate is None else 0,
            estimated=0 if estimate is None else self.unknown,
            in_progress=self.in_progress,
        )


Parts: TypeAlias = dict[str, UsagePart]


def usages(parts: Parts, prices: Optional[PriceList]) -> dict[str, Usage]:
    """Return the usage of a call by model."""
    return {model: part.usage(model, prices) for model, part in parts.items()}


class CallUsage:
    """The usage of one call to a model. Make it with `call_usage`.

    Attributes:
        parts: what is known now.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def receive(self, notice: Notice) -> bool:
        """Take what has happened in the call; return whether `parts` has changed."""
        before = self.parts
        if isinstance(notice, ItemReceived):
            self._take_item(notice.value)
        elif isinstance(notice, ResponseStarted):
            self._take_head(notice)
        elif isinstance(notice, CallSucceeded):
            body = None if notice.response is None else notice.response.body
            if body is not None:
                self._take_body(body)
            self._end(may_cost=True)
        elif isinstance(notice, (CallClosed, CallFailed)):
            if notice.attempt == 0:
                self.parts = {}
            else:
                self._end(may_cost=_may_cost(notice))
        return self.parts is not before

    def _take_head(self, notice: ResponseStarted) -> None:
        pass

    def _take_item(self, item: object) -> None:
        raise NotImplementedError

    def _take_body(self, body: bytes) -> None:
        pass

    def _end(self, *, may_cost: bool) -> None:
        pass


class _OneModel(CallUsage):
    """The usage of a call to one model."""

    def __init__(self, asked: str, path: str) -> None:
        self._asked, self._path, self._found, self._chosen = asked, path, "", ""
        self._tokens: Optional[TokenCounts] = None
        self._cost: Optional[Decimal] = None
        self._ended = self._may_cost = False
        super().__init__(self._parts())

    def _parts(self) -> Parts:
        model = self._chosen
        if not model:
            model = self._found if self._asked in _ROUTERS else self._asked
        unknown = int(self._ended and self._may_cost and self._cost is None)
        part = UsagePart(
            tokens=self._tokens,
            cost=self._cost or _NOTHING,
            unknown=unknown,
            unknown_tokens=self._tokens if unknown else None,
            in_progress=int(not self._ended),
        )
        return {model or self._asked or self._path: part}

    def _take_head(self, notice: ResponseStarted) -> None:
        chosen = text_of(notice.headers, "x-resolved-model-id")
        if chosen:
            self._chosen = chosen
            self.parts = self._parts()

    def _take_item(self, item: object) -> None:
        if isinstance(item, ChatCompletionChunk):
            # There may be thousands of chunks, and only the last one says more.
            if item.usage is None and item.cost is None and self._found:
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
        found, chosen = text_of(record, "model"), text_of(record, "x_resolved_model_id")
        tokens, cost = token_counts(value_of(record, "usage")), cost_in(record)
        if found or chosen or tokens is not None or cost is not None:
            self._found, self._chosen = found or self._found, chosen or self._chosen
            self._tokens = self._tokens if tokens is None else tokens
            self._cost = self._cost if cost is None else cost
            self.parts = self._parts()

    def _end(self, *, may_cost: bool) -> None:
        self._ended, self._may_cost = True, may_cost or self._tokens is not None
        self.parts = self._parts()


class _Comparison(CallUsage):
    """The usage of a comparison, which asks several models."""

    def __init__(self, models: list[str]) -> None:
        super().__init__({model: UsagePart(in_progress=1) for model in models})
        self._failed: set[str] = set()
        self._costs: set[str] = set()

    def _note(self, model: str, row: object, usage: object, requests: int = 1) -> None:
        if not model:
            return
        body = value_of(row, "response_body")
        cost = cost_in({**_fields(body), **_fields(row), "usage": usage})
        part = self.parts.get(model, UsagePart(requests=requests, in_progress=requests))
        tokens = token_counts(usage) or part.tokens
        if value_of(row, "error") and tokens is None:
            self._failed.add(model)
        if cost is not None:
            self._costs.add(model)
        part = msgspec.structs.replace(
            part, tokens=tokens, cost=part.cost if cost is None else cost
        )
        self.parts = {**self.parts, model: part}

    def _take_item(self, item: object) -> None:
        usage = value_of(item, "usage")
        if usage is not None or value_of(item, "error"):
            model = text_of(item, "model") or text_of(item, "comparison_model")
            self._note(model, item, usage)
        self._take_comparison(value_of(item, "data"))

    def _take_body(self, body: bytes) -> None:
        try:
            whole: Any = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        rows: Any = value_of(whole, "results")
        for row in rows if isinstance(rows, list) else ():
            self._note(text_of(row, "model"), row, value_of(row, "usage"))
        self._take_comparison(whole)

    def _take_comparison(self, record: object) -> None:
        usage = value_of(record, "comparison_usage")
        if token_counts(usage) is not None:
            self._note(text_of(record, "comparison_model") or _COMPARE, {}, usage)

    def _end(self, *, may_cost: bool) -> None:
        self.parts = {
            model: self._ended(model, part, may_cost=may_cost) for model, part in self.parts.items()
        }

    def _ended(self, model: str, part: UsagePart, *, may_cost: bool) -> UsagePart:
        charged = (may_cost or part.tokens is not None) and model not in self._failed
        unknown = part.requests if charged and model not in self._costs else 0
        tokens = part.tokens if unknown else None
        return msgspec.structs.replace(part, unknown=unknown, unknown_tokens=tokens, in_progress=0)


class _Session(CallUsage):
    """The usage of a realtime session: each of its responses is a request."""

    def __init__(self, model: str) -> None:
        super().__init__({})
        self._model = model

    def _take_item(self, item: object) -> None:
        event = value_of(item, "event")
        if value_of(event, "type") != "response.done":
            return
        response = value_of(event, "response")
        tokens, cost = token_counts(value_of(response, "usage")), cost_in(response)
        part = self.parts.get(self._model, UsagePart(requests=0))
        tokens_so_far = part.tokens if tokens is None else tokens.plus(part.tokens)
        unknown, unknown_tokens = part.unknown, part.unknown_tokens
        if cost is None:
            unknown += 1
            unknown_tokens = unknown_tokens if tokens is None else tokens.plus(unknown_tokens)
        part = UsagePart(
            requests=part.requests + 1,
            tokens=tokens_so_far,
            cost=added(part.cost, cost or _NOTHING),
            unknown=unknown,
            unknown_tokens=unknown_tokens,
        )
        self.parts = {self._model: part}

    def receive(self, notice: Notice) -> bool:
        """Take what has happened in the session; return whether `parts` has changed."""
        # Its connections come and go, and its end changes nothing.
        return isinstance(notice, ItemReceived) and super().receive(notice)


def _may_cost(notice: Union[CallClosed, CallFailed]) -> bool:
    """Whether a request that brought no whole response may have cost something."""
    if isinstance(notice, CallClosed) or notice.items:
        return True
    error = notice.error
    if isinstance(error, APIStatusError) or not isinstance(error, MeshAPIError):
        return False
    return not error.error_code.startswith(_NOT_SENT)


def _fields(record: object) -> Mapping[str, Any]:
    return record if isinstance(record, Mapping) else {}


class _Asked(Struct):
    model: Any = None
    models: Any = None


def call_usage(call: AnyCall[Any]) -> Optional[CallUsage]:
    """Return the usage of a call that begins; None if the call runs no model."""
    if call.upgrades:
        return _Session(text_of(call, "model"))
    path = text_of(call, "path").partition("?")[0]
    if (call.method, path) not in _RUN_MODELS:
        return None
    asked = _asked(value_of(call, "body"))
    if path == _COMPARE and isinstance(asked.models, list):
        models = [name for name in asked.models if isinstance(name, str)]
        return _Comparison([*dict.fromkeys(models)] or [path])
    return _OneModel(text_of(asked, "model"), path)


def _asked(body: object) -> _Asked:
    """The models that a request names."""
    if isinstance(body, Multipart):
        return _Asked(model=dict(body.fields).get("model"))
    try:
        return msgspec.json.decode(body if isinstance(body, bytes) else b"", type=_Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Asked()
