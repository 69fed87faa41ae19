"""Responses in the way of their model, which may fail on purpose: whole, or as a stream."""

from collections.abc import Mapping
from typing import Any, Optional

from starlette.requests import Request
from starlette.responses import Response

from meshapi.gateway import failing_models
from meshapi.gateway.http.streams import BreakableResponse, EventStream, PacedFrames
from meshapi.gateway.http.wire import dump
from meshapi.gateway.models import BROKEN_STREAM
from meshapi.gateway.scripts import faults
from meshapi.gateway.scripts.handover import fault_of
from meshapi.gateway.state import GatewayState


def json_response(value: Any, status: int = 200) -> Response:
    """A response with the value as JSON."""
    return Response(dump(value), status, media_type="application/json")


async def make_response(
    state: GatewayState,
    request: Request,
    model: str,
    body: bytes,
    *,
    user: str = "",
    tokens: int = 0,
) -> Response:
    """A whole response with a JSON body; a model of `FAILING_MODELS` fails in its own way.

    Args:
        tokens: the model tokens that the request and its response have.

    Raises:
        GatewayError: the model fails before its response begins, or the tokens exceed the limit.
    """
    state.rate_limits.spend(tokens)
    failing_models.refuse(state, model, user)
    return await whole_response(request, model, body)


async def whole_response(
    request: Request,
    model: str,
    body: bytes,
    *,
    media_type: str = "application/json",
    headers: Optional[Mapping[str, str]] = None,
) -> Response:
    """A whole response in the way of the model; call `failing_models.refuse` before."""
    await failing_models.hold_back(model, request)
    if model == BROKEN_STREAM:
        sized = {**(headers or {}), "Content-Length": str(len(body))}
        return BreakableResponse(
            failing_models.body_of(model, body), headers=sized, media_type=media_type
        )
    # It is complete even if the client has disconnected: it may ask again with the same key.
    return Response(body, headers=dict(headers or {}), media_type=media_type)


def stream_response(
    state: GatewayState,
    request: Request,
    model: str,
    frames: PacedFrames,
    headers: Optional[Mapping[str, str]] = None,
) -> Response:
    """A stream of the frames, as the model plays them; call `failing_models.refuse` before."""
    fault = fault_of(request)
    if fault is None:
        body = failing_models.frames_of(model, frames, state.pause)
    else:
        body = faults.frames_of(fault, frames, state.pause)
    said = {**(headers or {}), "Cache-Control": "no-store"}
    return EventStream(body, said, state.streams, frames.size)
