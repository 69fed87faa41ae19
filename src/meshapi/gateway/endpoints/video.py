"""/v1/video/generations: tasks that are done at the third look.

A task is `queued` at the first look at it, `running` at the second and `succeeded` at the third. A
look is a GET of that task; the list shows its status, but does not count. The video is an MP4 file
without frames. The task ends as `failed` if its text begins with "Fail:", and for
`mesh/broken-stream`, `mesh/error-in-stream`, `mesh/refusal` and `mesh/job-failed`; `mesh/stall`
stays `running`, and the other jobs of `mesh/` end as their names say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Optional

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import clock
from meshapi.gateway.content.movies import mp4
from meshapi.gateway.content.pictures import Picture
from meshapi.gateway.endpoints.pictures import publish
from meshapi.gateway.failing_models import FAILED_JOBS, refuse
from meshapi.gateway.http.auth import protected, public, public_url
from meshapi.gateway.http.downloads import download
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.pages import has_repeated_page, offset_page, page_query
from meshapi.gateway.http.query import read_query, word
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.http.validation import (
    Check,
    Detail,
    Location,
    array,
    boolean,
    detail,
    fields,
    integer,
    mapping,
    only_fields,
    read_json,
    string,
)
from meshapi.gateway.http.wire import ulid
from meshapi.gateway.jobs import asked_to_fail, end_of, job_response
from meshapi.gateway.models import DEFAULT_VIDEO_MODEL, VIDEO_MODELS, choose_from, cost_of
from meshapi.gateway.state import GatewayState
from meshapi.gateway.store import Store

_DEFAULT_SECONDS, _LONGEST_SECONDS = 5, 3600
_FRAMES_PER_SECOND = 24
# Made up: the model tokens of a second of video.
_TOKENS_PER_SECOND = 1000

# The version of the API that introduced polling by `request_id`.
_VERSION_WITH_REQUEST_ID = "2026-09"


def _url(value: Any, at: Location) -> Iterator[Detail]:
    if not isinstance(value, str):
        yield from string(value, at)
    elif value.startswith("asset://"):
        yield detail("value_error", at, "Value error, assets can't be used yet")


_REFERENCE: Check = fields({"url": _url}, {})
_CREATE: Check = only_fields(
    {
        "model": string,
        "content": array(
            only_fields(
                {"type": string},
                {
                    "text": string,
                    "image_url": _REFERENCE,
                    "video_url": _REFERENCE,
                    "audio_url": _REFERENCE,
                    "draft_task": mapping,
                    "role": string,
                },
            ),
            min_length=1,
        ),
    },
    {
        "callback_url": string,
        "service_tier": string,
        "resolution": string,
        "ratio": string,
        "return_last_frame": boolean,
        "generate_audio": boolean,
        "draft": boolean,
        "camera_fixed": boolean,
        "watermark": boolean,
        "execution_expires_after": integer(ge=1),
        "duration": integer(ge=-1, le=_LONGEST_SECONDS),
        "frames": integer(ge=1),
        "seed": integer(),
        "safety_identifier": string,
        "priority": integer(),
    },
)


def _moment(value: Any, at: Location) -> Iterator[Detail]:
    if _seconds(value) is None:
        message = "Input should be a valid datetime: seconds since 1970, or ISO 8601"
        yield detail("datetime_from_date_parsing", at, message)


_LIST_QUERY = {
    **page_query(),
    "status": word(),
    "model": word(),
    "created_after": word(_moment),
    "created_before": word(_moment),
}


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def collection(request: Request) -> Response:
        if request.method == "GET":
            return json_response(_page(state, request))
        task = _make(state, request, await read_json(request, _CREATE))
        state.store(_Tasks).put(task.id, task)
        response = {"id": task.id}
        if request.headers.get("x-mesh-version") == _VERSION_WITH_REQUEST_ID:
            response["request_id"] = task.request_id
        return json_response(response)

    async def one(request: Request) -> Response:
        task = state.store(_Tasks).get(request.path_params["id"])
        shown = task.as_object(state, request)
        response = job_response(task.model, shown, task.status)
        task.advance()
        return response

    async def play(request: Request) -> Response:
        task = state.store(_Tasks).get(request.path_params["id"])
        return download(state, request, mp4(task.seconds), "video/mp4", model=task.model)

    return [
        protected(state, "/v1/video/generations", ["GET", "POST"], collection),
        protected(state, "/v1/video/generations/{id}", ["GET"], one),
        public("/videos/{id}.mp4", ["GET"], play),
    ]


@dataclass
class _Task:
    model: str
    body: dict[str, Any]
    request_id: str
    id: str = field(default_factory=lambda: f"vid_{ulid()}")
    created_at: int = field(default_factory=lambda: int(clock.time()))
    updated_at: int = field(default_factory=lambda: int(clock.time()))
    status: str = "queued"
    last_frame_url: Optional[str] = None

    @property
    def seconds(self) -> int:
        # -1 leaves the duration to the model.
        asked: int = self.body.get("duration") or _DEFAULT_SECONDS
        return asked if asked > 0 else _DEFAULT_SECONDS

    @property
    def failure(self) -> Optional[tuple[str, str]]:
        failure = asked_to_fail(self.prompt) or FAILED_JOBS.get(self.model)
        return failure and (failure.code, failure.message)

    @property
    def prompt(self) -> str:
        return " ".join(item.get("text") or "" for item in self.body["content"]).strip()

    def advance(self) -> None:
        """Move to the next status; called after each look."""
        if self.status == "queued":
            self.status = "running"
        elif self.status == "running":
            end = end_of(self.model, "failed" if self.failure else "succeeded")
            self.status = end or self.status
        else:
            return
        self.updated_at = int(clock.time())

    def as_object(self, state: GatewayState, request: Request) -> dict[str, Any]:
        done, failed = self.status == "succeeded", self.status == "failed"
        said_back = ("resolution", "ratio", "safety_identifier", "service_tier", "seed")
        more = ("frames", "priority", "execution_expires_after", "generate_audio", "draft")
        tokens = self.seconds * _TOKENS_PER_SECOND
        error = dict(zip(("code", "message"), self.failure or ())) if failed else None
        return {
            "id": self.id,
            "request_id": self.request_id,
            "model": self.model,
            "status": self.status,
            "error": error,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "content": self._content(state, request) if done else None,
            **{name: self.body.get(name) for name in (*said_back, *more)},
            "duration": self.seconds,
            "framespersecond": _FRAMES_PER_SECOND,
            "draft_task_id": None,
            "usage": {"completion_tokens": tokens, "total_tokens": tokens} if done else None,
            "cost": cost_of(self.model, 0, tokens) if done else None,
        }

    def _content(self, state: GatewayState, request: Request) -> dict[str, Any]:
        if self.body.get("return_last_frame") and self.last_frame_url is None:
            self.last_frame_url = publish(
                state, request, Picture(self.prompt, 1280, 720), self.model
            )
        url = public_url(request, f"/videos/{self.id}.mp4")
        return {"video_url": url, "last_frame_url": self.last_frame_url}


class _Tasks(Store[_Task]):
    what = "Video task"

    def get(self, thing_id: str) -> _Task:
        """The task with this ID, or the one that the request with this ID made."""
        for task in self:
            if task.request_id == thing_id:
                return task
        return super().get(thing_id)


def _make(state: GatewayState, request: Request, body: dict[str, Any]) -> _Task:
    model = choose_from(VIDEO_MODELS, body["model"], DEFAULT_VIDEO_MODEL)
    if body.get("callback_url"):
        message = "The local gateway sends no callbacks: leave out callback_url, and poll the task."
        raise GatewayError(501, "not_implemented", message)
    refuse(state, model, body.get("safety_identifier") or "")
    return _Task(model, body, request.state.request_id)


def _page(state: GatewayState, request: Request) -> dict[str, Any]:
    """A page of the tasks that pass the filters, newest first."""
    query = read_query(request, _LIST_QUERY)
    after, before = _seconds(query.get("created_after")), _seconds(query.get("created_before"))
    found = [
        task
        for task in state.store(_Tasks).newest_first()
        if query.get("status") in (None, task.status)
        and query.get("model") in (None, task.model)
        and (after is None or task.created_at >= after)
        and (before is None or task.created_at <= before)
    ]
    repeats = has_repeated_page(task.model for task in found)
    page = offset_page(
        "data", found, query, lambda task: task.as_object(state, request), repeats=repeats
    )
    shown = page["offset"] + len(page["data"])
    return {"object": "list", **page, "has_more": shown < page["total"]}


def _seconds(value: Optional[str]) -> Optional[float]:
    """The moment in seconds since 1970; None for None, and for text that is not a moment."""
    if value is None:
        return None
    if re.fullmatch(r"\d{1,12}(?:\.\d{1,6})?", value, re.ASCII):
        return float(value)
    try:
        # Before Python 3.11, fromisoformat does not accept Z for UTC.
        moment = datetime.fromisoformat(re.sub(r"[zZ]\Z", "+00:00", value))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
