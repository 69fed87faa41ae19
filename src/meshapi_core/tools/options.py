"""The limits and the choices of a tool run."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal, Optional, Union

import msgspec
from msgspec import Struct

from meshapi_core._json_kinds import value_name
from meshapi_core.errors import InvalidParamsError
from meshapi_core.tools.function_tool import is_async
from meshapi_core.usage.money import usd

__all__ = ["BeforeCall", "CallOptions", "OnToolError", "RunOptions", "check_count"]

OnToolError = Literal["answer", "raise"]

BeforeCall = Callable[..., Any]
"""Is given a `RequestedCall`. It returns None to approve, other arguments, a `Refuse` or a
`Deferred`; on an event loop, perhaps as a coroutine."""


class CallOptions(Struct, frozen=True, kw_only=True):
    """How functions are called; `run_tools` documents the options.

    Raises:
        InvalidParamsError: an option is not valid.
    """

    max_concurrent_calls: int
    tool_timeout: Optional[float]
    on_tool_error: OnToolError
    before_call: Optional[BeforeCall]

    def __post_init__(self) -> None:
        check_count("max_concurrent_calls", self.max_concurrent_calls)
        timeout: Any = self.tool_timeout
        is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
        if timeout is not None and not (is_number and timeout > 0):
            got = value_name(timeout, show=True)
            raise InvalidParamsError("tool_timeout", "seconds, more than 0", got)
        if self.on_tool_error not in ("answer", "raise"):
            got = value_name(self.on_tool_error, show=True)
            raise InvalidParamsError("on_tool_error", "'answer' or 'raise'", got)
        if self.before_call is not None and not callable(self.before_call):
            raise InvalidParamsError("before_call", "a function", value_name(self.before_call))

    @property
    def async_hook(self) -> bool:
        """Whether `before_call` must be awaited."""
        return self.before_call is not None and is_async(self.before_call)


class RunOptions(CallOptions, frozen=True, kw_only=True):
    """The options of `run_tools`, which documents them.

    Raises:
        InvalidParamsError: an option is not valid.
    """

    max_turns: int
    max_total_tokens: Optional[int]
    max_cost_usd: Optional[Union[Decimal, float, str]]
    stream: bool = False

    def __post_init__(self) -> None:
        CallOptions.__post_init__(self)
        check_count("max_turns", self.max_turns)
        if self.max_total_tokens is not None:
            check_count("max_total_tokens", self.max_total_tokens)
        most = self.most_dollars
        if self.max_cost_usd is not None and (most is None or most < 0):
            got = value_name(self.max_cost_usd, show=True)
            raise InvalidParamsError("max_cost_usd", "an amount in dollars, 0 or more", got)
        stream: Any = self.stream
        if not isinstance(stream, bool):
            got = value_name(stream, show=True)
            raise InvalidParamsError("stream", "True or False", got)

    def streamed(self) -> "RunOptions":
        """Return the same options, with `stream`."""
        return msgspec.structs.replace(self, stream=True)

    @property
    def most_dollars(self) -> Optional[Decimal]:
        """The limit of the cost."""
        return usd(self.max_cost_usd)


def check_count(name: str, value: Any) -> None:
    """Check a limit that is a number of something.

    Raises:
        InvalidParamsError: it is not an integer of at least 1.
    """
    if type(value) is not int or value < 1:
        raise InvalidParamsError(name, "an integer of at least 1", value_name(value, show=True))


OPTION_NAMES = (*RunOptions.__struct_fields__, "tools")
"""What a misspelt keyword may mean, besides the parameters of the request."""

Results = Mapping[str, Any]
