"""What type checkers must say about middleware. Checked, never run.

As in `api.py`: a `type: ignore` is a negative case.
"""

from collections.abc import Awaitable
from functools import partial
from typing import Optional

from typing_extensions import assert_type

from meshapi import AsyncMeshAPI, Headers, MeshAPI
from meshapi.transports import (
    AsyncBytesResponse,
    AsyncCallNext,
    AsyncMiddleware,
    AsyncMiddlewareResponse,
    AsyncTransportResponse,
    BytesResponse,
    CallNext,
    Middleware,
    MiddlewareResponse,
    Request,
    TransportResponse,
)


def add_header(request: Request, call_next: CallNext) -> TransportResponse:
    response = call_next(request.with_headers({"x-a": "1", "x-b": None}))
    assert_type(response, MiddlewareResponse)
    assert_type(response.status, int)
    assert_type(response.headers, Headers)
    assert_type(response.read(), bytes)
    assert_type(response.read_all(), bytes)
    assert_type(request.header("x-a"), Optional[str])
    assert_type(request.is_to_gateway, bool)
    assert_type(request.attempt, int)
    assert_type(request.with_url("https://x/").with_origin("https://y").with_body(b""), Request)
    return response


async def add_header_later(request: Request, call_next: AsyncCallNext) -> AsyncTransportResponse:
    response = await call_next(request)
    assert_type(response, AsyncMiddlewareResponse)
    assert_type(await response.read_all(), bytes)
    return response


def mock(request: Request, call_next: CallNext) -> BytesResponse:
    return BytesResponse.json({"a": 1}, status=201, headers={"x-y": "z"})


async def mock_later(request: Request, call_next: AsyncCallNext) -> AsyncBytesResponse:
    return AsyncBytesResponse(200, [("x-y", "z")], b"{}")


class Object:
    def __call__(self, request: Request, call_next: CallNext) -> MiddlewareResponse:
        return call_next(request)


class Counted(MiddlewareResponse):
    size = 0

    def read(self, until: Optional[float] = None) -> bytes:
        piece = super().read(until)
        self.size += len(piece)
        return piece


def count(request: Request, call_next: CallNext) -> Counted:
    return Counted(call_next(request))


def with_name(name: str, request: Request, call_next: CallNext) -> TransportResponse:
    return call_next(request)


def both_clients_take_their_kind() -> None:
    functions: list[Middleware] = [add_header, mock, Object(), count, partial(with_name, "n")]
    MeshAPI(middleware=functions)
    MeshAPI(middleware=[add_header, mock])
    MeshAPI(middleware=(count,))
    MeshAPI(middleware=[lambda request, call_next: call_next(request)])
    later: list[AsyncMiddleware] = [add_header_later, mock_later]
    AsyncMeshAPI(middleware=later)
    AsyncMeshAPI(middleware=[add_header_later])


def without_response(request: Request, call_next: CallNext) -> None:
    call_next(request)


def of_text(request: str, call_next: CallNext) -> TransportResponse:
    return call_next(request)  # type: ignore[arg-type]


def later(request: Request, call_next: AsyncCallNext) -> Awaitable[MiddlewareResponse]:
    raise NotImplementedError


def another_kind_is_refused() -> None:
    MeshAPI(middleware=add_header)  # type: ignore[arg-type]
    MeshAPI(middleware=[add_header_later])  # type: ignore[list-item]
    MeshAPI(middleware=[without_response])  # type: ignore[list-item]
    MeshAPI(middleware=[of_text])  # type: ignore[list-item]
    AsyncMeshAPI(middleware=[add_header])  # type: ignore[list-item]
    AsyncMeshAPI(middleware=[later])  # type: ignore[list-item]
