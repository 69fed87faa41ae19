"""A single request on a pool, without an endpoint."""

import os
from typing import Any

from meshapi_backends._async.pipe_host import AsyncPipeHost
from meshapi_backends._sync.pipe_host import PipeHost
from meshapi_core import MeshAPIConfig, PipeCall, Request, Response, Timeout
from meshapi_core.envelopes import error_from_response

from .flavours import TOKEN, World


class RawCall:
    """A call that sends a given request, and returns the response as it is."""

    method = "PUT"
    streaming = starts_job = upgrades = False

    def __init__(self, request: Request) -> None:
        self._request = request

    def request(self, config: MeshAPIConfig, random_bytes: Any = None) -> Request:
        return self._request

    def read(self, response: Response) -> Response:
        return response

    def refusal(self, response: Response) -> Any:
        return error_from_response(response.status, response.headers, response.body)


async def send(world: World, pool: Any, request: Request, network: Any = None) -> Response:
    """The response to a request that is sent on a connection of a pool.

    Args:
        network: the pool's network, if it is not the world's.
    """
    config = MeshAPIConfig(token=TOKEN, timeout=Timeout.of(5.0), max_retries=0)
    network = network or world.network
    call: PipeCall[Response] = PipeCall(
        RawCall(request), config, now=network.now(), random_bytes=os.urandom
    )
    blocking = world.name == "sync"
    host: Any = PipeHost if blocking else AsyncPipeHost
    pools = pool._target if blocking else pool
    response: Response = await world.settle(host(call, pools, network).result())
    return response
