"""POST /v1/chat/compare: one conversation, several models, and a judge that compares what they say.

A model that is unknown, or fails, is an entry with an `error`, and the others go on; such a model
fails at once, never by silence or by closing the connection. A `comparison_model` that fails on
purpose does to the whole answer what it would do to its own.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Optional

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import failing_models
from meshapi.gateway.content.answers import count_words, words
from meshapi.gateway.endpoints.chat.completions import Completion, completion_of
from meshapi.gateway.endpoints.chat.request import MESSAGE
from meshapi.gateway.endpoints.templates import applied
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.replies import json_reply, stream_reply, whole_reply
from meshapi.gateway.http.streams import Script
from meshapi.gateway.http.validation import (
    Check,
    array,
    boolean,
    fields,
    integer,
    mapping,
    number,
    read_json,
    string,
)
from meshapi.gateway.http.wire import dump, named_frame, ulid
from meshapi.gateway.models import (
    AUTO,
    CHAT_MODELS,
    DEFAULT_MODEL,
    FAILING_MODELS,
    SLOW,
    STALL,
)
from meshapi.gateway.state import GatewayState

_MOST_MODELS = 10

_HALF_WAY = {**failing_models.BREAKS_OFF, STALL: failing_models.TIMEOUT}
# The only codes that an entry has: others become the last one.
_CODES = ("gateway_timeout", "model_not_found", "upstream_error")

# What all models are asked alike, and what a template can add to.
_COMMON = ("messages", "max_tokens", "template", "variables")

_SETTINGS: dict[str, Check] = {"temperature": number(ge=0, le=2), "max_tokens": integer(ge=1)}
_SCHEMA: Check = fields(
    {
        "models": array(string, min_length=1, max_length=_MOST_MODELS),
        "messages": array(MESSAGE, min_length=1),
    },
    {
        **_SETTINGS,
        "model_overrides": array(fields({"model": string}, {**_SETTINGS, "system_prompt": string})),
        "comparison_model": string,
        "comparison_instructions": string,
        "stream": boolean,
        "cache": boolean,
        "template": string,
        "variables": mapping,
        "skip_comparison": boolean,
    },
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def compare(request: Request) -> Response:
        body = await read_json(request, _SCHEMA)
        comparison = _Comparison(body, _entries(state, body, request.state.request_id))
        if all(entry.failed_at_once for entry in comparison.entries):
            return _all_failed(comparison.entries)
        failing_models.refuse(state, comparison.fault)
        if body.get("stream"):
            return stream_reply(state, comparison.fault, comparison.script())
        if all(entry.error for entry in comparison.entries):
            return _all_failed(comparison.entries)
        return await whole_reply(request, comparison.fault, dump(comparison.whole()))

    return [protected(state, "/v1/chat/compare", ["POST"], compare)]


@dataclass(frozen=True)
class _Entry:
    """What became of one model: a completion, an error, or half of a completion and an error."""

    model: str
    request_id: str
    completion: Optional[Completion] = None
    error: Optional[str] = None
    error_code: Optional[str] = None

    @property
    def failed_at_once(self) -> bool:
        return self.completion is None

    @property
    def text(self) -> str:
        if self.completion is None:
            return ""
        choice = self.completion.choices[0]
        return choice.text or choice.refusal or ""

    @property
    def content(self) -> Optional[str]:
        return None if self.error else self.text

    @property
    def usage(self) -> Optional[dict[str, Any]]:
        return None if self.error or self.completion is None else self.completion.usage()

    def result(self) -> dict[str, Any]:
        """As it stands among the results; no answer took any time worth counting."""
        result: dict[str, Any] = {
            "model": self.model,
            "latency_ms": _latency(self.model),
            "request_id": self.request_id,
            "error": self.error,
            "error_code": self.error_code,
        }
        if self.completion is not None and not self.error:
            result.update(content=self.content, usage=self.usage)
            result.update(response_body=self.completion.whole())
        return result

    def frames(self) -> Iterator[bytes]:
        """Its part of a stream without comparison, a frame for each word and one for the end."""
        said = words(self.text)
        reason = self.completion.choices[0].finish_reason if self.completion else "error"
        if self.error:
            said, reason = said[: (len(said) + 1) // 2], "error"
        for word in said:
            chunk = {"model": self.model, "delta": word, "finish_reason": None}
            yield named_frame("model_chunk", chunk)
        end = {"model": self.model, "finish_reason": reason, "usage": self.usage}
        end["error"] = self.error
        if self.error:
            end["error_code"] = self.error_code
        yield named_frame("model_stream_done", end)


@dataclass(frozen=True)
class _Comparison:
    body: dict[str, Any]
    entries: Sequence[_Entry]
    id: str = field(default_factory=lambda: f"cmp_{ulid()}")

    @property
    def skipped(self) -> bool:
        return bool(self.body.get("skip_comparison"))

    @property
    def fallback_used(self) -> bool:
        known = {None, AUTO, *CHAT_MODELS, *FAILING_MODELS}
        return not self.skipped and self.body.get("comparison_model") not in known

    @property
    def judge(self) -> Optional[str]:
        if self.skipped:
            return None
        wanted = self.body.get("comparison_model")
        return wanted if wanted in CHAT_MODELS or wanted in FAILING_MODELS else DEFAULT_MODEL

    @property
    def fault(self) -> str:
        """The model whose way of failing, or pace, the answer has."""
        slow = any(entry.model == SLOW for entry in self.entries)
        return self.judge if self.judge in FAILING_MODELS else SLOW if slow else DEFAULT_MODEL

    def whole(self) -> dict[str, Any]:
        verdict = None if self.skipped else _verdict(self.body, self.entries)
        return {
            **self._meta(),
            "object": "compare.completion",
            "created": int(time.time()),
            "results": [entry.result() for entry in self.entries],
            "comparison": verdict,
            "comparison_usage": None if verdict is None else self._usage(verdict),
            "comparison_fallback_used": self.fallback_used,
            **self._totals(),
        }

    def script(self) -> Script:
        meta = named_frame("meta", self._meta())
        if self.skipped:
            steps = zip_longest(*(entry.frames() for entry in self.entries), fillvalue=b"")
            done = {**self._totals(), "skip_comparison": True}
            return Script([meta], [b"".join(step) for step in steps], [self._done(done)])
        judged = [
            named_frame("comparison_chunk", {"delta": word, "finish_reason": None})
            for word in words(_verdict(self.body, self.entries))
        ]
        done = {
            **self._totals(),
            "comparison_model": self.judge,
            "comparison_fallback_used": self.fallback_used,
        }
        end = named_frame("comparison_chunk", {"delta": "", "finish_reason": "stop"})
        return Script([meta], [*self._answers(), *judged], [end, self._done(done)])

    def _answers(self) -> list[bytes]:
        """A frame for each model's answer, and with the last one that of the results."""
        chunks: list[bytes] = []
        for entry in self.entries:
            result = entry.result()
            chunk = {key: result[key] for key in ("model", "latency_ms", "error", "error_code")}
            chunk.update(delta=entry.content, usage=entry.usage)
            chunks.append(named_frame("model_chunk", chunk))
        results = [entry.result() for entry in self.entries]
        chunks[-1] += named_frame("model_done", {"results": results})
        return chunks

    def _done(self, members: dict[str, Any]) -> bytes:
        return named_frame("done", {"comparison_id": self.id, **members})

    def _meta(self) -> dict[str, Any]:
        return {
            "comparison_id": self.id,
            "models": [entry.model for entry in self.entries],
            "comparison_model": self.judge,
            "skip_comparison": self.skipped,
        }

    def _totals(self) -> dict[str, Any]:
        return {
            "total_latency_ms": max(_latency(entry.model) for entry in self.entries),
            "partial": any(entry.error for entry in self.entries),
        }

    def _usage(self, verdict: str) -> dict[str, int]:
        read = sum(count_words(entry.content or "") for entry in self.entries)
        written = count_words(verdict)
        return {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }


def _entries(state: GatewayState, body: dict[str, Any], request_id: str) -> list[_Entry]:
    given: list[dict[str, Any]] = body.get("model_overrides") or []
    overrides = {override["model"]: override for override in given}
    common = applied(state, {key: body[key] for key in _COMMON if body.get(key) is not None})
    # A model that is named twice answers once.
    return [
        _entry(state, _chat_body(common, model, overrides.get(model, {})), f"{request_id}::{model}")
        for model in dict.fromkeys(body["models"])
    ]


def _chat_body(common: dict[str, Any], model: str, override: dict[str, Any]) -> dict[str, Any]:
    messages: list[dict[str, Any]] = common["messages"]
    if override.get("system_prompt"):
        messages = [{"role": "system", "content": override["system_prompt"]}, *messages]
    max_tokens = override.get("max_tokens") or common.get("max_tokens")
    return {"model": model, "messages": messages, "max_tokens": max_tokens}


def _entry(state: GatewayState, asked: dict[str, Any], request_id: str) -> _Entry:
    model = asked["model"]
    try:
        completion = completion_of(asked)
        failing_models.refuse(state, model)
    except GatewayError as error:
        code = error.error["code"] if error.error["code"] in _CODES else _CODES[-1]
        return _Entry(model, request_id, error=str(error), error_code=code)
    if model in _HALF_WAY:
        failure = _HALF_WAY[model]
        return _Entry(model, request_id, completion, failure.message, failure.code)
    return _Entry(model, request_id, completion)


def _latency(model: str) -> int:
    """Milliseconds, the same each time; only `mesh/slow` takes any worth counting."""
    return 1000 if model == SLOW else 1


def _verdict(body: dict[str, Any], entries: Sequence[_Entry]) -> str:
    """What the judge says: who says what, how it was to be judged, and who said nothing."""
    sayers: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if entry.content is not None:
            sayers[entry.content].append(entry.model)
    said = " ".join(f'{" and ".join(models)}: "{text}"' for text, models in sayers.items())
    agree = "All answers are the same." if len(sayers) == 1 else "The answers differ."
    verdict = f"{agree} {said}" if sayers else "There is no answer to compare."
    if body.get("comparison_instructions"):
        verdict += f' I was told: "{body["comparison_instructions"]}"'
    failed = [entry.model for entry in entries if entry.error]
    return f"{verdict} No answer came from {' and '.join(failed)}." if failed else verdict


def _all_failed(entries: Sequence[_Entry]) -> Response:
    # Here the service does not use its envelope.
    details = [
        {"model": entry.model, "error": entry.error, "error_code": entry.error_code}
        for entry in entries
    ]
    message = "None of the models gave an answer."
    error = {"code": "all_models_failed", "message": message, "details": details}
    return json_reply({"detail": {"error": error}}, 502)
