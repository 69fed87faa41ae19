"""/pictures/{id}.png: serves pictures to anyone who has their URL."""

from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.content.pictures import Picture
from meshapi.gateway.http.auth import public, public_url
from meshapi.gateway.http.downloads import download
from meshapi.gateway.http.wire import ulid
from meshapi.gateway.state import GatewayState
from meshapi.gateway.store import Store


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def show(request: Request) -> Response:
        found = state.store(_Pictures).get(request.path_params["id"])
        return download(state, request, found.picture.png(), "image/png", model=found.model)

    return [public("/pictures/{id}.png", ["GET"], show)]


class _Published(NamedTuple):
    picture: Picture
    model: str


class _Pictures(Store[_Published]):
    what = "Picture"


def publish(state: GatewayState, request: Request, picture: Picture, model: str) -> str:
    """Keep the picture that the model made; return the URL where anyone can get it."""
    picture_id = ulid()
    state.store(_Pictures).put(picture_id, _Published(picture, model))
    return public_url(request, f"/pictures/{picture_id}.png")
