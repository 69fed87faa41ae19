"""/__gateway: scripts and recorded requests over HTTP, for programs in any language.

Each path needs the gateway's token. Scripts do not apply to them.
"""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.request_log import RecordedRequest
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.http.scrubbing import MASK, Scrubber, tokens_in
from meshapi.gateway.http.validation import anything, detail, invalid, read_json
from meshapi.gateway.scripts.engine import Script
from meshapi.gateway.scripts.from_json import WrongScripts, add_scripts
from meshapi.gateway.state import GatewayState

PREFIX = "/__gateway/"


def routes(state: GatewayState) -> list[Route]:
    """The routes of a gateway."""

    async def scripts(request: Request) -> Response:
        if request.method == "POST":
            return await _add(state, request)
        return json_response({"scripts": [_script(one) for one in state.scripts.all()]})

    async def unused(request: Request) -> Response:
        return json_response(
            {
                "unused": [_script(one) for one in state.scripts.unused()],
                "mistakes": state.scripts.mistakes(),
            }
        )

    async def requests(request: Request) -> Response:
        # Requests to these paths are not the tested program's.
        kept = [one for one in state.requests.snapshot() if not one.path.startswith(PREFIX)]
        return json_response({"requests": [_request(state, one) for one in kept]})

    async def reset(request: Request) -> Response:
        state.reset()
        return json_response({"reset": True})

    return [
        protected(state, f"{PREFIX}scripts", ["GET", "POST"], scripts),
        protected(state, f"{PREFIX}unused", ["GET"], unused),
        protected(state, f"{PREFIX}requests", ["GET"], requests),
        protected(state, f"{PREFIX}reset", ["POST"], reset),
    ]


async def _add(state: GatewayState, request: Request) -> Response:
    kind = request.headers.get("content-type")
    if kind is None or kind.partition(";")[0].strip().lower() != "application/json":
        # Required, as a web page of another site can't send it unasked.
        message = 'expected the header "Content-Type: application/json", got '
        raise invalid(
            detail("value_error", ("header",), message + ("none" if kind is None else repr(kind)))
        )
    value = await read_json(request, anything)
    try:
        added = add_scripts(state.scripts, value, "POST /__gateway/scripts")
    except WrongScripts as error:
        raise invalid(detail("value_error", ("body",), str(error))) from None
    except ValueError as error:
        raise GatewayError(409, "conflict", str(error)) from None
    return json_response({"added": [_script(one) for one in added]}, 201)


def _script(script: Script) -> dict[str, Any]:
    return {
        "place": script.place,
        "on": str(script.conditions),
        "used": script.used,
        "times": script.times,
    }


def _request(state: GatewayState, request: RecordedRequest) -> dict[str, Any]:
    scrub = Scrubber((state.token, *tokens_in(request.headers.raw, request.query)))
    headers = {
        name: "..." if text == MASK else text for name, text in scrub.headers(request.headers.raw)
    }
    parsed = {"model": request.model, "text": request.text, "body": request.content()}
    told = _without_tokens(scrub, parsed)
    return {
        "method": request.method,
        "path": scrub.text(request.path),
        "model": told["model"],
        "text": told["text"],
        "headers": headers,
        "body": told["body"],
        "size": request.size,
        "truncated": request.truncated,
    }


def _without_tokens(scrub: Scrubber, parsed: dict[str, Any]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(scrub.text(json.dumps(parsed, ensure_ascii=False)))
        return found
    except RecursionError:
        # The parser takes a body that is nested this deeply, and the writer does not.
        return {**dict.fromkeys(parsed), "model": scrub.text(parsed["model"] or "") or None}
