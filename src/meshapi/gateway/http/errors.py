"""Error responses, all in the service's envelope."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from meshapi.gateway.http.wire import dump

_CODES = {404: "not_found", 405: "method_not_allowed"}


class GatewayError(Exception):
    """An error response. Endpoints raise it; `handlers` put it into the service's envelope."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Optional[Sequence[Mapping[str, Any]]] = None,
        retry_after_seconds: Optional[int] = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.error: dict[str, Any] = {"code": code, "message": message}
        if details is not None:
            self.error["details"] = list(details)
        if retry_after_seconds is not None:
            self.error["retry_after_seconds"] = retry_after_seconds
            self.headers["Retry-After"] = str(retry_after_seconds)


def envelope(error: GatewayError, request_id: str) -> Response:
    """The error as a response."""
    body = {"error": error.error, "request_id": request_id}
    return Response(dump(body), error.status, error.headers, "application/json")


def _envelope(request: Request, error: GatewayError) -> Response:
    return envelope(error, request.state.request_id)


async def _gateway_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, GatewayError)
    return _envelope(request, exc)


async def _routing_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    code = _CODES.get(exc.status_code, "http_error")
    message = f"{request.method} {request.url.path}: {exc.detail}"
    return _envelope(request, GatewayError(exc.status_code, code, message, headers=exc.headers))


async def _internal_error(request: Request, exc: Exception) -> Response:
    error = GatewayError(500, "internal_error", f"The local gateway itself failed: {exc!r}")
    return _envelope(request, error)


def handlers() -> dict[Any, ExceptionHandler]:
    """Starlette's exception handlers, all of which respond in the envelope, with the request ID."""
    return {GatewayError: _gateway_error, HTTPException: _routing_error, Exception: _internal_error}
