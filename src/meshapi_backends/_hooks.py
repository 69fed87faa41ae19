"""Functions of a program that a client calls when something happens in its calls."""

from collections.abc import Callable
from inspect import isawaitable, iscoroutinefunction, signature
from typing import Any, Final, Optional

from msgspec import Struct

from meshapi_core import NamedFields, type_name
from meshapi_core.observing import (
    AttemptStarted,
    CallFailed,
    ItemReceived,
    Notice,
    ResponseStarted,
    RetryPlanned,
)

__all__ = ["Hooks", "check_hooks"]


class Hooks(Struct, frozen=True, kw_only=True, metaclass=NamedFields):
    """Functions that a client calls when something happens in its calls.

    On the async client, they may be async functions, which are awaited before the call goes on.
    They are called in the task or thread that makes the call, one at a time, in the order in which
    things happen. A function that raises an Exception changes nothing; the logger `meshapi` has a
    line about it. Cancellation and KeyboardInterrupt pass through it.

    Each function is given one object, whose fields say what happened; `about` is the same object
    for everything in a call. Its repr is safe to log. What a response holds is not: see the fields.

    Fields:
        on_request: an attempt begins. Called again if the request is sent again on a new connection
            (`resent`).
        on_response: the head of a response has arrived, also of an error.
        on_retry: an attempt failed, and another will follow after `wait` seconds.
        on_error: the call has failed, and raises `error`. Not called for a stream that the program
            closes, or a call that is cancelled.
        on_event: a chunk of a stream, or a message of a realtime session, has arrived. It is called
            before the program gets it.

    Raises:
        TypeError: one of them is no function, or cannot be called with one argument.
    """

    on_request: Optional[Callable[[AttemptStarted], object]] = None
    on_response: Optional[Callable[[ResponseStarted], object]] = None
    on_retry: Optional[Callable[[RetryPlanned], object]] = None
    on_error: Optional[Callable[[CallFailed], object]] = None
    on_event: Optional[Callable[[ItemReceived], object]] = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            hook = getattr(self, name)
            if hook is not None and not callable(hook):
                raise TypeError(f"Hooks: {name}: expected a function, got {type_name(hook)}")
            fault = "" if hook is None else _fault_of(hook)
            if fault:
                expected = "a function that takes one argument"
                raise TypeError(f"Hooks: {name}: expected {expected}, got {fault}")

    def __repr__(self) -> str:
        # Not the functions' own: a `partial` shows its arguments.
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        return f"Hooks({', '.join(f'{name}=...' for name in given)})"

    def __rich_repr__(self) -> list[Any]:
        # Without this, rich would show all fields in place of the repr.
        return [repr(self)]


def _fault_of(hook: Any) -> str:
    """A function that cannot be called with one argument, in words; "" for any other."""
    try:
        parameters = signature(hook)
    except (TypeError, ValueError):
        return ""  # it does not tell
    try:
        parameters.bind(None)
    except TypeError:
        function = getattr(hook, "func", hook)
        name = getattr(function, "__name__", type_name(function))
        # Without default values, which may be secret: those of a `partial` are its arguments.
        shown = ", ".join(parameters.parameters)
        return f"{name}({shown})" + ("" if shown else ", which takes none")
    return ""


_CALL: Final = "__call__"

_NAMES: Final[dict[type, str]] = {
    AttemptStarted: "on_request",
    ResponseStarted: "on_response",
    RetryPlanned: "on_retry",
    CallFailed: "on_error",
    ItemReceived: "on_event",
}


def check_hooks(hooks: object, *, blocking: bool) -> Hooks:
    """Return the argument of a client, after checking it.

    Raises:
        TypeError: it is not a `Hooks`, or one of its functions is async in a blocking client.
    """
    if not isinstance(hooks, Hooks):
        raise TypeError(f"hooks: expected Hooks, got {type_name(hooks)}; write Hooks(on_...=...)")
    for name in _NAMES.values() if blocking else ():
        if _is_async(getattr(hooks, name)):
            raise TypeError(
                f"hooks: {name}: expected a function, got an async one, which only AsyncMeshAPI"
                " can call"
            )
    return hooks


def _is_async(hook: Any) -> bool:
    # Also an object whose `__call__` is async, or a partial of an async function.
    hook = getattr(hook, "func", hook)
    return iscoroutinefunction(hook) or iscoroutinefunction(getattr(hook.__class__, _CALL, None))


def call_hook(hooks: Hooks, notice: Notice) -> Any:
    """Call the function for a notice, and return what is to be awaited; None if nothing is."""
    name = _NAMES.get(type(notice))
    hook = None if name is None else getattr(hooks, name)
    if hook is None:
        return None
    try:
        result = hook(notice)
    except Exception as exc:
        hook_failed(hooks, notice, exc)
        return None
    return result if isawaitable(result) else None


def hook_failed(hooks: Hooks, notice: Notice, exc: BaseException) -> None:
    """Log that the function for a notice failed."""
    from meshapi_backends._logging import log_failed_hook

    name = _NAMES[type(notice)]
    log_failed_hook(f"hooks: {name}", getattr(hooks, name), exc, notice)
