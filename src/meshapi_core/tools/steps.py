"""What happens in a tool run, and what its functions may say.

As the events of a stream do, each step has its word in `type`, by which type checkers tell them
apart, as by `isinstance`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Literal, Optional, TypeVar, Union

from msgspec import Struct

from meshapi_core.streams.events import ContentDelta, ReasoningDelta, RefusalDelta

__all__ = [
    "Deferred",
    "ModelDelta",
    "ModelResponded",
    "Refuse",
    "RequestedCall",
    "ToolCallBegun",
    "ToolCallDeferred",
    "ToolCallEnded",
    "ToolStep",
]

T = TypeVar("T")


class RequestedCall(Struct, frozen=True, kw_only=True):
    """A call that the model asks for.

    Fields:
        id: the model's ID of the call; `results` of `resume_tools` has it as key.
        name: of the tool.
        arguments: as the model wrote them, decoded; empty if they are not a JSON object.
        arguments_text: the JSON text as the model wrote it.
        turn: the number of the model's response, from 1.
        may_have_run: whether the function had begun when an earlier run was interrupted. Whether
            it had done its work is unknown.
    """

    id: str
    name: str
    arguments: Mapping[str, Any]
    arguments_text: str
    turn: int
    may_have_run: bool = False


class Refuse(Struct, frozen=True):
    """What `before_call` returns to prevent a call.

    Fields:
        reason: is told to the model.
    """

    reason: str


class Deferred(Exception):
    """What a function raises or returns if its result comes later, and from elsewhere.

    `before_call` may return it, too.
    """


class ModelResponded(Struct, Generic[T], frozen=True):
    """The model has responded: with calls of tools, or with its final answer.

    Fields:
        turn: the number of the response, from 1.
        response: the whole response.
    """

    type: ClassVar[Literal["model.responded"]] = "model.responded"
    turn: int
    response: T


class ToolCallBegun(Struct, frozen=True):
    """A function is about to be called.

    Fields:
        call: what the model asks for.
    """

    type: ClassVar[Literal["tool_call.begun"]] = "tool_call.begun"
    call: RequestedCall


class ToolCallEnded(Struct, frozen=True):
    """A call has its result.

    Fields:
        call: what the model asks for.
        content: the text that the model gets.
        value: what the function returned; None where it raised or was not called.
        error: what the function raised; a TimeoutError if its time was over. Where it was not
            called, a LookupError (no such tool), an `InvalidArguments` or a PermissionError
            (`before_call` refused).
    """

    type: ClassVar[Literal["tool_call.ended"]] = "tool_call.ended"
    call: RequestedCall
    content: str
    value: Any = None
    error: Optional[Exception] = None


class ToolCallDeferred(Struct, frozen=True):
    """A call gets its result later; the run ends when the other calls of this turn have ended.

    Fields:
        call: what the model asks for.
    """

    type: ClassVar[Literal["tool_call.deferred"]] = "tool_call.deferred"
    call: RequestedCall


ModelDelta = Union[ContentDelta, ReasoningDelta, RefusalDelta]
"""The next piece of what the model says, where the run is streamed."""

ToolStep = Union[ModelDelta, ModelResponded[T], ToolCallBegun, ToolCallEnded, ToolCallDeferred]
"""What a program gets that iterates over a tool run; deltas only with `stream=True`."""
