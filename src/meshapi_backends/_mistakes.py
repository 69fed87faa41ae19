"""Mistakes in the code of users: in transports, and in the responses that middleware returns.

Each is a `TypeError` that is marked as the program's: it is raised unchanged, and no call is
retried.
"""

from typing import Any, Final, NoReturn

from meshapi_backends._failures import mark_foreign
from meshapi_core import Headers, type_name

__all__ = ["AsyncReturned", "Returned", "check_flavour", "check_response", "discard", "check_piece"]

_SENT: Final = "send() to return a response, with status (int), headers, read() and abort()"
_READ: Final = "read() of its response to return bytes"


def _refuse(transport: object, expected: str, value: object, hint: str = "") -> NoReturn:
    exc = TypeError(
        f"the transport {type_name(transport)}: expected {expected}, got {type_name(value)}{hint}"
    )
    mark_foreign(exc)
    raise exc


class AsyncReturned:
    """Checks of what the methods of an async transport return."""

    @staticmethod
    def send(value: Any, transport: object) -> Any:
        """Check that a value can be awaited."""
        if not (_has_await(value) or _is_awaitable(value)):
            _refuse(transport, "send() to return an awaitable", value, "; write async def send")
        return value

    @staticmethod
    def read(value: Any, transport: object) -> Any:
        """Check that a value can be awaited."""
        if not (_has_await(value) or _is_awaitable(value)):
            expected = "read() of its response to return an awaitable"
            _refuse(transport, expected, value, "; write async def read")
        return value


class Returned:
    """Checks of what the methods of a blocking transport return."""

    @staticmethod
    def send(value: Any, transport: object) -> Any:
        """Check that a value is not to be awaited."""
        if _has_await(value):
            discard(value)
            _refuse(transport, _SENT, value, "; write def send, without async")
        return value

    @staticmethod
    def read(value: Any, transport: object) -> Any:
        """Check that a value is not to be awaited."""
        if _has_await(value):
            discard(value)
            _refuse(transport, _READ, value, "; write def read, without async")
        return value


def _has_await(value: object) -> bool:
    return hasattr(type(value), "__await__")


def _is_awaitable(value: object) -> bool:
    # Generators may be, by a flag. Imported on first use.
    from inspect import isawaitable

    return isawaitable(value)


def discard(value: Any) -> None:
    """Close a coroutine, which would warn that nobody has awaited it."""
    close = getattr(value, "close", None)
    if callable(close):
        close()


_ASYNC: Final = "meshapi_backends._async."
_BLOCKING: Final = "meshapi_backends._sync."


def check_flavour(response: Any, name: str, module: str) -> None:
    """Raise if middleware returned a coroutine, or a response of the other client.

    Args:
        response: what it returned.
        name: of the function.
        module: of the caller, of which there is one for each of the clients.
    """
    if hasattr(response, "cr_code"):
        discard(response)
        raise TypeError(
            f"the middleware {name}: expected a response to be returned, got coroutine; write"
            " await call_next(request)"
        )
    is_async = module.startswith(_ASYNC)
    other = _BLOCKING if is_async else _ASYNC
    for kind in type(response).__mro__:
        if kind.__module__.startswith(other):
            right = f"Async{kind.__name__}" if is_async else kind.__name__[len("Async") :]
            raise TypeError(
                f"the middleware {name}: expected a response of"
                f" {'AsyncMeshAPI' if is_async else 'MeshAPI'}, got {type_name(response)}; use"
                f" {right}"
            )


def check_response(response: Any, transport: object) -> None:
    """Raise unless a transport returned a response."""
    status = getattr(response, "status", None)
    headers = getattr(response, "headers", None)
    if (
        isinstance(status, int)
        and (isinstance(headers, Headers) or _are_headers(headers))
        and callable(getattr(response, "read", None))
        and callable(getattr(response, "abort", None))
    ):
        return
    methods = [name for name in ("read", "abort") if not callable(getattr(response, name, None))]
    if "abort" not in methods:
        response.abort()
    if response is None or not hasattr(response, "status"):
        _refuse(transport, _SENT, response)
    if not isinstance(status, int):
        _refuse(transport, "the status of its response to be an int", status)
    if methods:
        expected = f"its response to have a method {methods[0]}()"
        _refuse(transport, expected, response)
    expected = "the headers of its response to be pairs of names and values, or to have items()"
    _refuse(transport, expected, headers)


def _are_headers(value: object) -> bool:
    iterable = hasattr(value, "__iter__") and not isinstance(value, (str, bytes))
    return iterable or hasattr(value, "items")


def check_piece(piece: Any, transport: object) -> None:
    """Raise unless a piece of a body, which is not `bytes` itself, is like bytes."""
    try:
        memoryview(piece)
    except TypeError:
        hint = '; return b"" at the end' if piece is None else ""
        hint = "; write x.encode()" if isinstance(piece, str) else hint
        _refuse(transport, _READ, piece, hint)
