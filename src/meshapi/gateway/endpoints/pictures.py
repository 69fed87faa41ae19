"""/pictures/{id}.png: serves pictures to anyone who has their URL."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.content.pictures import Picture
from meshapi.gateway.http.auth import public, public_url
from meshapi.gateway.http.wire import ulid
from meshapi.gateway.state import GatewayState
from meshapi.gateway.store import Store


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def show(request: Request) -> Response:
        picture = state.store(_Pictures).get(request.path_params["id"])
        return Response(picture.png(), media_type="image/png")

    return [public("/pictures/{id}.png", ["GET"], show)]


class _Pictures(Store[Picture]):
    what = "Picture"


def publish(state: GatewayState, request: Request, picture: Picture) -> str:
    """Keep the picture; return the URL where anyone can get it."""
    picture_id = ulid()
    state.store(_Pictures).put(picture_id, picture)
    return public_url(request, f"/pictures/{picture_id}.png")
