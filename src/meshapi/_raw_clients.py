"""`client.with_raw_response`: the client again, with methods that return raw responses."""

from collections.abc import Callable
from typing import Any

from meshapi._async_client import AsyncMeshAPI
from meshapi._blocking_client import MeshAPI
from meshapi._client import Client
from meshapi_backends import AsyncRawCallRunner, RawCallRunner
from meshapi_core.endpoints import AsyncRawRunner, RawRunner


class RawMeshAPI(Client[RawRunner]):
    """The resources of a `MeshAPI`. Their methods return each response as a `RawResponse`.

    - A response that is an error raises, as always; `parse()` raises the rest.
    - Streams are those of the client: they have `headers` and `meta`.
    - Methods that make several calls, such as `rag.upload_file`, raise TypeError.

    Only the client that it came from closes the connections.
    """

    def _new_runner(self) -> RawRunner:
        # It needs nothing but what all clients have.
        client: Any = MeshAPI
        return RawCallRunner(client._new_runner(self))

    def _new_watch(self, hooks: Any, tracing: Any) -> Any:
        client: Any = MeshAPI
        return client._new_watch(self, hooks, tracing)

    @property
    def _network(self) -> Callable[[], Any]:
        client: Any = MeshAPI
        network: Callable[[], Any] = client._network.fget(self)
        return network


class AsyncRawMeshAPI(Client[AsyncRawRunner]):
    """The resources of an `AsyncMeshAPI`; see `RawMeshAPI`."""

    def _new_runner(self) -> AsyncRawRunner:
        client: Any = AsyncMeshAPI
        return AsyncRawCallRunner(client._new_runner(self))

    def _new_watch(self, hooks: Any, tracing: Any) -> Any:
        client: Any = AsyncMeshAPI
        return client._new_watch(self, hooks, tracing)

    @property
    def _network(self) -> Callable[[], Any]:
        client: Any = AsyncMeshAPI
        network: Callable[[], Any] = client._network.fget(self)
        return network
