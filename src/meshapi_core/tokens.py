"""Tokens: what one may look like, where a call gets one, and the token of one call.

A configuration has a token, or a function that returns one. The core never calls that function,
which may do I/O: a machine asks its host for a token by the action `GetToken`, and the host calls
the function that comes with it. It asks before the first attempt, and once more if the gateway
refuses the token with a 401; if the function then returns another token, the request is sent again
with that one, which does not count as a retry.
"""

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Optional

from meshapi_core._json_kinds import type_name
from meshapi_core._secret import Secret
from meshapi_core.errors import InvalidParamsError

__all__ = ["PLACEHOLDER", "TokenSource", "hidden_token", "replayed", "token_fault"]

PLACEHOLDER = Secret("to-be-asked-for")
"""Stands for a token that is not known yet, in requests that are never sent."""


class TokenSource:
    """A function that returns tokens; its repr shows nothing of it.

    Args:
        ask: the function. It takes no arguments, and may return an awaitable.
    """

    __slots__ = ("_ask",)

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask

    def __call__(self) -> object:
        """Call the function."""
        return self._ask()

    # For hosts, which get them with the class.

    @staticmethod
    def hidden(value: object) -> object:
        """Return what the function returned, hidden: see `hidden_token`."""
        return hidden_token(value)

    @staticmethod
    def fault(token: object) -> Optional[tuple[str, str, str]]:
        """Return what is wrong with a token: see `token_fault`."""
        return token_fault(token)

    @property
    def function(self) -> Callable[[], object]:
        """The function."""
        return self._ask

    @property
    def is_async(self) -> bool:
        """Whether the function is known to return an awaitable."""
        ask = self._ask
        # An object whose `__call__` is async is as good as an async function.
        return iscoroutinefunction(ask) or iscoroutinefunction(type(ask).__call__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenSource) and self._ask == other._ask

    def __hash__(self) -> int:
        return hash(self._ask)

    def __repr__(self) -> str:
        # Not the function's own: a `partial` shows its arguments.
        return "<token from a function>"


def hidden_token(value: object) -> object:
    """Return a token as a `Secret`; of any other value, only its type.

    Bytes may be the right token in the wrong type. They must not stay in a caller's frame, because
    error trackers show its locals.
    """
    if isinstance(value, str):
        return value if isinstance(value, Secret) else Secret(str.__str__(value))
    # Done twice, it does no harm.
    return value if isinstance(value, type) else type(value)


def token_fault(token: object) -> Optional[tuple[str, str, str]]:
    """Return what is wrong with a token from `hidden_token`; None if a header can carry it.

    Returns:
        What was expected, what was given instead, and what to do: each of them may be "". None of
        them quotes the token.
    """
    if not isinstance(token, Secret):
        name = token.__name__ if isinstance(token, type) else type_name(token)
        return "str", name, "write x.decode()" if token is bytes else ""
    if not token:
        return "an API key", "an empty string", ""
    fault = _fault(token.reveal())
    return ("", fault, "") if fault else None


def _fault(token: str) -> str:
    """Return what is wrong with a token, and what to do; "" if a header can carry it."""
    is_quoted = len(token) > 1 and token[0] == token[-1] and token[0] in "'\"`"
    if is_quoted:
        return "it has quotes around it; leave them out"
    if all(0x21 <= ord(c) <= 0x7E for c in token):
        return ""
    if token.lower().startswith(("bearer ", "authorization:")):
        return 'leave out "Bearer ", which the client adds'
    if token != token.strip():
        return (
            "it has whitespace around it, such as the newline at the end of a file; write x.strip()"
        )
    return "it contains whitespace, a control character or a non-ASCII character; copy it again"


def refused(token: object) -> Optional[InvalidParamsError]:
    """Return the error for a token that a function returned; None if it can be sent."""
    fault = token_fault(token)
    if fault is None:
        return None
    expected, got, hint = fault
    if got == "coroutine":
        hint = "an async function needs AsyncMeshAPI"
    if not expected:
        got = f"the function returned a token that cannot be sent: {got}"
    else:
        expected = f"a function that returns {expected}"
    return InvalidParamsError("token", expected, got, hint)


def replayed(random_bytes: Callable[[int], bytes]) -> Callable[[], Callable[[int], bytes]]:
    """Return a function whose results are sources of the same random bytes, each from the start.

    A request that is built again with another token keeps its idempotency key and its boundary.
    """
    drawn: list[bytes] = []

    def source() -> Callable[[int], bytes]:
        replay = iter([*drawn])

        def draw(count: int) -> bytes:
            known = next(replay, None)
            if known is None:
                known = random_bytes(count)
                drawn.append(known)
            return known

        return draw

    return source
