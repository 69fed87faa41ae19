"""/v1/templates, and what a template does to a chat request that names it.

A template has an ID and a name; of two with the same name, the newer one counts. Its model and its
other settings are the defaults for those that the request does not have; its system text and its
messages come before those of the request, with the value of a variable in place of {{variable}}.
"""

import re
import uuid
from collections.abc import Iterator
from typing import Any, Optional, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import clock
from meshapi.gateway.endpoints.chat.request import MESSAGE, SCHEMA
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.http.validation import (
    Check,
    array,
    detail,
    invalid,
    mapping,
    only_fields,
    read_json,
    string,
    text,
)
from meshapi.gateway.http.wire import iso
from meshapi.gateway.state import GatewayState
from meshapi.gateway.store import Store

_SLOT = re.compile(r"\{\{\s*(\w+)\s*\}\}")

_NAME = text(min_length=1, max_length=255)
_SETTINGS: dict[str, Check] = {
    "description": string,
    "system": string,
    "messages": array(MESSAGE),
    "model": string,
    "params": mapping,
    "variables": array(string),
}
_CREATE: Check = only_fields({"name": _NAME}, {**_SETTINGS, "team_id": string})
_UPDATE: Check = only_fields({}, {"name": _NAME, **_SETTINGS})

# What a template's `params` can't set: only the request has these, or they stand beside `params`.
_NOT_PARAMS = ("messages", "model", "stream", "template", "variables")


class _Templates(Store[dict[str, Any]]):
    what = "Template"

    def named(self, name: str) -> dict[str, Any]:
        """The template with this ID or name; raises what `get` raises."""
        for template in self.newest_first():
            if name in (template["id"], template["name"]):
                return template
        return self.get(name)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def collection(request: Request) -> Response:
        templates = state.store(_Templates)
        if request.method == "GET":
            return json_response(list(templates))
        template = _new(await read_json(request, _CREATE))
        templates.put(template["id"], template)
        return json_response(template, 201)

    async def one(request: Request) -> Response:
        templates = state.store(_Templates)
        template_id = request.path_params["id"]
        template = templates.get(template_id)
        if request.method == "DELETE":
            templates.remove(template_id)
            return Response(status_code=204)
        if request.method == "PATCH":
            _update(template, await read_json(request, _UPDATE))
            templates.changed(template_id)
        return json_response(template)

    return [
        protected(state, "/v1/templates", ["GET", "POST"], collection),
        protected(state, "/v1/templates/{id}", ["GET", "PATCH", "DELETE"], one),
    ]


def with_template(state: GatewayState, body: dict[str, Any]) -> dict[str, Any]:
    """The chat request with its template filled in; the request itself if it names none.

    Raises:
        GatewayError: 404 if there is no such template; 422 if a variable has no value, or if the
            template's settings are not valid in a chat request.
    """
    name = body.get("template")
    if name is None:
        return body
    template = state.store(_Templates).named(name)
    values: dict[str, Any] = body.get("variables") or {}
    start = _filled(_start_of(template), values)
    _require(template, values)
    given = {key: value for key, value in body.items() if value is not None}
    params: dict[str, Any] = template["params"] or {}
    settings = {key: value for key, value in params.items() if key not in _NOT_PARAMS}
    if template["model"] is not None:
        settings["model"] = template["model"]
    whole = {**settings, **given, "messages": [*start, *body["messages"]]}
    faults = list(SCHEMA(whole, ("template", "params")))
    if faults:
        raise invalid(*faults)
    return whole


def _new(body: dict[str, Any]) -> dict[str, Any]:
    now = iso(clock.time())
    return {
        "id": str(uuid.uuid4()),
        "name": body["name"],
        "owner": "local",
        "is_global": False,
        **{key: body.get(key) for key in _SETTINGS},
        "created_at": now,
        "updated_at": now,
    }


def _update(template: dict[str, Any], body: dict[str, Any]) -> None:
    """A null clears a field; an absent field stays as it is."""
    if "name" in body and body["name"] is None:
        raise invalid(*string(None, ("body", "name")))
    changed = {key: body[key] for key in ("name", *_SETTINGS) if key in body}
    template.update(changed, updated_at=iso(clock.time()))


def _start_of(template: dict[str, Any]) -> list[Any]:
    system: Optional[str] = template["system"]
    head = [{"role": "system", "content": system}] if system else []
    return [*head, *(template["messages"] or [])]


def _require(template: dict[str, Any], values: dict[str, Any]) -> None:
    """Each variable needs a value, whether it is declared or only used in a text."""
    declared: list[str] = template["variables"] or []
    wanted = dict.fromkeys([*declared, *_slots(_start_of(template))])
    missing = [name for name in wanted if values.get(name) is None]
    if missing:
        raise invalid(
            *(detail("missing", ("body", "variables", name), "Field required") for name in missing)
        )


def _slots(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _SLOT.findall(value)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _slots(item)
    elif isinstance(value, dict):
        yield from _slots(list(cast("dict[str, Any]", value).values()))


def _filled(value: Any, values: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return _SLOT.sub(lambda slot: str(values.get(slot[1], slot[0])), value)
    if isinstance(value, list):
        return [_filled(item, values) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        rows = cast("dict[str, Any]", value).items()
        return {key: _filled(inner, values) for key, inner in rows}
    return value
