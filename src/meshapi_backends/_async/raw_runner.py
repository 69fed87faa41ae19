"""Runs calls for `client.with_raw_response`: over another runner, with another reader."""

from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from meshapi_core import Call, RawResponse, StreamCall, raw_call
from meshapi_core.endpoints import AsyncRunner, Flow, ItemFlow

if TYPE_CHECKING:
    from meshapi_core.endpoints import AsyncStream

T = TypeVar("T")

# The flow cannot name the method: its function may be another one behind it.
_SEVERAL_RESPONSES: Final = (
    "this method makes several calls, so there is no single raw response; call it without"
    " with_raw_response"
)


class AsyncRawCallRunner:
    """Runs calls, and returns their responses as they came.

    Args:
        runner: runs the calls.
    """

    returns_raw = True

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner

    async def run(self, call: Call[T], /) -> RawResponse[T]:
        """Return the response to a call."""
        return await self._runner.run(raw_call(call))

    async def run_flow(self, flow: Flow[Any], /) -> NoReturn:
        """Raise TypeError: a flow has several responses."""
        raise TypeError(_SEVERAL_RESPONSES)

    def open_flow(self, flow: ItemFlow[Any, Any], /) -> NoReturn:
        """Raise TypeError: a flow has several responses."""
        raise TypeError(_SEVERAL_RESPONSES)

    def open(self, call: StreamCall[T], /) -> "AsyncStream[T]":
        """Return the stream of a call, which has its headers and `.meta`."""
        return self._runner.open(call)
