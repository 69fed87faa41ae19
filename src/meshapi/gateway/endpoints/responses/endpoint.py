"""/v1/responses: whole, streamed and in the background, and the list of stored responses.

A background response is `queued` when it is made, `in_progress` at the first look at it, which is a
GET of that response, and done at the second. With `mesh/stall` it is never done, with models
that break off their responses it ends as `failed`, and the jobs of `mesh/` end as their names say.
"""

from dataclasses import dataclass
from typing import Any, Optional

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import clock, failing_models
from meshapi.gateway.content.tokens import count_words
from meshapi.gateway.endpoints.chat.completion import Completion, completion_of
from meshapi.gateway.endpoints.chat.completions import prepared
from meshapi.gateway.endpoints.responses.input import SCHEMA, chat_body, messages_of, question_of
from meshapi.gateway.endpoints.responses.output import frames_of, items_of
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.pages import AFTER_QUERY, page_after
from meshapi.gateway.http.query import read_query
from meshapi.gateway.http.responses import json_response, stream_response, whole_response
from meshapi.gateway.http.validation import detail, invalid, read_json
from meshapi.gateway.http.wire import dump, ulid
from meshapi.gateway.jobs import end_of, job_response
from meshapi.gateway.models import AUTO, REFUSAL, cost_of
from meshapi.gateway.scripts.handover import scripted_reply
from meshapi.gateway.scripts.values import Reply
from meshapi.gateway.state import GatewayState
from meshapi.gateway.store import Store

# Why a response is incomplete, by the finish reason that chat would give.
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def create(request: Request) -> Response:
        body = await read_json(request, SCHEMA)
        kept = state.store(_StoredResponses)
        made = make(state, body, scripted_reply(request))
        model = made.completion.requested
        state.rate_limits.spend(made.response["usage"]["total_tokens"])
        failing_models.refuse(state, model, body.get("user") or "")
        headers = made.completion.headers()
        if body.get("stream"):
            kept.add(made)
            frames = frames_of(made.response, made.completion.choices[0].chunks)
            return stream_response(state, request, model, frames, headers)
        if body.get("background"):
            made.looks = 0
            kept.add(made)
            return json_response(made.as_seen())
        response = await whole_response(request, model, dump(made.response), headers=headers)
        kept.add(made)
        return response

    async def collection(request: Request) -> Response:
        if request.method == "POST":
            return await create(request)
        query = read_query(request, AFTER_QUERY)
        return json_response(
            page_after(
                state.store(_StoredResponses),
                StoredResponse.as_row,
                query,
                lambda one: one.completion.requested,
            )
        )

    async def get(request: Request) -> Response:
        found = state.store(_StoredResponses).get(request.path_params["id"])
        found.looks += 1
        seen = found.as_seen()
        return job_response(found.completion.requested, seen, seen["status"])

    return [
        protected(state, "/v1/responses", ["GET", "POST"], collection),
        protected(state, "/v1/responses/{id}", ["GET"], get),
    ]


@dataclass
class StoredResponse:
    """A response; unless it is in the background, it has been looked at often enough to be done."""

    response: dict[str, Any]
    completion: Completion
    conversation: list[dict[str, Any]]
    looks: int = 2

    def as_seen(self) -> dict[str, Any]:
        if not self.response["background"]:
            return self.response
        usual = self.response["status"]
        model = self.completion.requested
        # A refusal is a response, not a failure.
        end = usual if model == REFUSAL else end_of(model, usual)
        if self.looks >= 2 and end == usual:
            return self.response
        if self.looks >= 2 and end is not None:
            return _ended(self.response, end)
        status = "in_progress" if self.looks else "queued"
        unfinished: dict[str, Any] = {
            "status": status,
            "output": [],
            "usage": None,
            "cost": None,
            "completed_at": None,
        }
        return {**self.response, **unfinished, "incomplete_details": None}

    def as_row(self) -> dict[str, Any]:
        seen = self.as_seen()
        row = {key: seen[key] for key in ("id", "object", "model", "status", "created_at")}
        provider = seen["model"].partition("/")[0]
        done = seen["completed_at"]
        return {**row, "provider": provider, "completed_at": done, "usage_synced": bool(done)}


class _StoredResponses(Store[StoredResponse]):
    what = "Response"

    def add(self, made: StoredResponse) -> None:
        """Keep the response, unless the request said not to store it."""
        if made.response["store"]:
            self.put(made.response["id"], made)


def make(
    state: GatewayState, body: dict[str, Any], scripted: Optional[Reply] = None
) -> StoredResponse:
    """The response to a request that passes `SCHEMA`; it is not stored yet.

    Args:
        scripted: what a script says.

    Raises:
        GatewayError: the request can't be served, or the response that it continues is unknown.
    """
    kept = state.store(_StoredResponses)
    if body.get("background") and body.get("store") is False:
        message = "Value error, a background response has to be stored"
        raise invalid(detail("value_error", ("body", "store"), message))
    previous = body.get("previous_response_id")
    earlier = kept.get(previous).conversation if previous is not None else []
    asked = prepared(state, chat_body(body, earlier))
    completion = completion_of(state, asked, scripted)
    response = _response(body, asked["messages"], completion)
    said = [*earlier, *messages_of(body["input"]), *messages_of(response["output"])]
    return StoredResponse(response, completion, said)


def _response(
    body: dict[str, Any], messages: list[dict[str, Any]], completion: Completion
) -> dict[str, Any]:
    choice = completion.choices[0]
    summary = _summary(body.get("reasoning") or {}, question_of(messages))
    cut_short = _INCOMPLETE.get(choice.finish_reason)
    counted = completion.usage()["completion_tokens"]
    usage = _usage(completion.prompt_tokens, counted, count_words(summary or ""))
    response = {
        "id": f"resp_{ulid()}",
        "object": "response",
        "created_at": completion.created,
        "completed_at": int(clock.time()),
        "status": "incomplete" if cut_short else "completed",
        "background": bool(body.get("background")),
        "error": None,
        "incomplete_details": {"reason": cut_short} if cut_short else None,
        "model": completion.model,
        "output": items_of(choice, summary),
        "usage": usage,
        "cost": cost_of(completion.model, usage["input_tokens"], usage["output_tokens"]),
        **_settings(body),
    }
    if completion.requested == AUTO:
        response.update(x_resolved_model_id=completion.model, x_auto_routed=True)
    return response


def _settings(body: dict[str, Any]) -> dict[str, Any]:
    """The fields of the request that the response repeats, with their defaults."""
    defaults: dict[str, Any] = {
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "user": None,
    }
    given = {key: body[key] for key in defaults if body.get(key) is not None}
    return {**defaults, **given, "truncation": "disabled"}


def _summary(reasoning: dict[str, Any], question: str) -> Optional[str]:
    if not reasoning or reasoning.get("effort") == "none":
        return None
    return f'The question is: "{question}" A local gateway does not reason about it.'


def _usage(read: int, written: int, reasoned: int) -> dict[str, Any]:
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": written + reasoned,
        "output_tokens_details": {"reasoning_tokens": reasoned},
        "total_tokens": read + written + reasoned,
    }


def _ended(response: dict[str, Any], status: str) -> dict[str, Any]:
    """The background response as a model leaves it that does not complete it."""
    failure = failing_models.FAILED_JOBS.get(response["model"]) if status == "failed" else None
    nothing: dict[str, Any] = {"output": [], "usage": None, "cost": None}
    error = failure and {"code": failure.code, "message": failure.message}
    return {**response, **nothing, "status": status, "error": error}
