"""The events of a streamed chat completion: what `stream.events()` returns.

Each class has its word in `type`, by which type checkers tell them apart, as by `isinstance`:

    for event in stream.events():
        if event.type == "content.delta":
            print(event.text, end="")
        elif event.type == "tool_call.done":
            run(event.name, event.parsed_arguments)

Deltas come as they arrive. The other events come at the end, in this order: for each choice, its
reasoning, content, refusal and tool calls as a whole; then the usage; then the whole response.
"""

from typing import Any, ClassVar, Literal, Union

from msgspec import Struct

from meshapi_core.types.chat import ChatCompletionResponse, ToolCall, UsageInfo

__all__ = [
    "ChatEvent",
    "CompletionDone",
    "ContentDelta",
    "ContentDone",
    "ReasoningDelta",
    "ReasoningDone",
    "RefusalDelta",
    "RefusalDone",
    "ToolCallDelta",
    "ToolCallDone",
    "UsageDone",
]


class ContentDelta(Struct, frozen=True, kw_only=True, tag_field="type", tag="content.delta"):
    """The next piece of the text of a choice.

    Fields:
        text: the piece; never empty.
        choice: the index of the choice.
    """

    type: ClassVar[Literal["content.delta"]] = "content.delta"
    text: str
    choice: int = 0


class ContentDone(Struct, frozen=True, kw_only=True, tag_field="type", tag="content.done"):
    """The whole text of a choice.

    Fields:
        text: all deltas joined; never empty.
        choice: the index of the choice.
    """

    type: ClassVar[Literal["content.done"]] = "content.done"
    text: str
    choice: int = 0


class ReasoningDelta(Struct, frozen=True, kw_only=True, tag_field="type", tag="reasoning.delta"):
    """The next piece of the model's reasoning; the fields are as in `ContentDelta`."""

    type: ClassVar[Literal["reasoning.delta"]] = "reasoning.delta"
    text: str
    choice: int = 0


class ReasoningDone(Struct, frozen=True, kw_only=True, tag_field="type", tag="reasoning.done"):
    """The whole reasoning of a choice; the fields are as in `ContentDone`."""

    type: ClassVar[Literal["reasoning.done"]] = "reasoning.done"
    text: str
    choice: int = 0


class RefusalDelta(Struct, frozen=True, kw_only=True, tag_field="type", tag="refusal.delta"):
    """The next piece of why the model refuses; the fields are as in `ContentDelta`."""

    type: ClassVar[Literal["refusal.delta"]] = "refusal.delta"
    text: str
    choice: int = 0


class RefusalDone(Struct, frozen=True, kw_only=True, tag_field="type", tag="refusal.done"):
    """Why the model refuses; the fields are as in `ContentDone`."""

    type: ClassVar[Literal["refusal.done"]] = "refusal.done"
    text: str
    choice: int = 0


class ToolCallDelta(Struct, frozen=True, kw_only=True, tag_field="type", tag="tool_call.delta"):
    """The next piece of a tool call. Calls that run in parallel may take turns.

    Fields:
        arguments: the next piece of the arguments' JSON text; "" in a delta that only names it.
        id, name: of the call, as far as they have arrived.
        index: which call of the choice, in the order in which they began, from 0.
        choice: the index of the choice.
    """

    type: ClassVar[Literal["tool_call.delta"]] = "tool_call.delta"
    arguments: str = ""
    id: str = ""
    name: str = ""
    index: int = 0
    choice: int = 0


class ToolCallDone(Struct, frozen=True, kw_only=True, tag_field="type", tag="tool_call.done"):
    """A whole tool call.

    Fields:
        tool_call: the call, as in the message.
        index, choice: as in `ToolCallDelta`.
    """

    type: ClassVar[Literal["tool_call.done"]] = "tool_call.done"
    tool_call: ToolCall
    index: int = 0
    choice: int = 0

    @property
    def id(self) -> str:
        """The `tool_call_id` for the message with the result."""
        return self.tool_call.id

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.tool_call.function.name

    @property
    def arguments(self) -> str:
        """The arguments as JSON text, as the model wrote it."""
        return self.tool_call.function.arguments

    @property
    def parsed_arguments(self) -> dict[str, Any]:
        """The arguments as a dict.

        Raises:
            ToolArgumentsError: the model wrote something that is not a JSON object.
        """
        return self.tool_call.parsed_arguments


class UsageDone(Struct, frozen=True, kw_only=True, tag_field="type", tag="usage.done"):
    """The usage of the request, if the gateway sent it.

    Fields:
        usage: in model tokens.
    """

    type: ClassVar[Literal["usage.done"]] = "usage.done"
    usage: UsageInfo


class CompletionDone(Struct, frozen=True, kw_only=True, tag_field="type", tag="done"):
    """The whole response: the last event of a stream that did not break off.

    Fields:
        response: equal to `stream.response`.
    """

    type: ClassVar[Literal["done"]] = "done"
    response: ChatCompletionResponse


ChatEvent = Union[
    ContentDelta,
    ContentDone,
    ReasoningDelta,
    ReasoningDone,
    RefusalDelta,
    RefusalDone,
    ToolCallDelta,
    ToolCallDone,
    UsageDone,
    CompletionDone,
]
