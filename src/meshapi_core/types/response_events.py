"""The events of a streamed response that OpenAI documents, one class for each type.

`EVENTS` leads from an event's `type` to its class. All of them are `ResponsesStreamEvent`s; what
comes with any other type is of that class itself.

Items, parts and annotations are plain dicts, `event.item["type"]`, as they came. Where a gateway
leaves a field out, it has the blank of its kind. Fields that most events have:

    sequence_number: counts the events of one response from 0.
    item_id, output_index: the item of `output` that the event is about, by its id and its place.
    content_index, summary_index: the place within the item's `content` or `summary`.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from typing import Any, ClassVar, Final, Optional

import msgspec

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import always
from meshapi_core.types.responses import ResponsesStreamEvent

__all__ = [
    "ResponseAudioDeltaEvent",
    "ResponseAudioDoneEvent",
    "ResponseAudioTranscriptDeltaEvent",
    "ResponseAudioTranscriptDoneEvent",
    "ResponseCodeInterpreterCallCodeDeltaEvent",
    "ResponseCodeInterpreterCallCodeDoneEvent",
    "ResponseCodeInterpreterCallCompletedEvent",
    "ResponseCodeInterpreterCallInProgressEvent",
    "ResponseCodeInterpreterCallInterpretingEvent",
    "ResponseCompactionCompactingEvent",
    "ResponseCompletedEvent",
    "ResponseContentPartAddedEvent",
    "ResponseContentPartDoneEvent",
    "ResponseCreatedEvent",
    "ResponseCustomToolCallInputDeltaEvent",
    "ResponseCustomToolCallInputDoneEvent",
    "ResponseErrorEvent",
    "ResponseFailedEvent",
    "ResponseFileSearchCallCompletedEvent",
    "ResponseFileSearchCallInProgressEvent",
    "ResponseFileSearchCallSearchingEvent",
    "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseFunctionCallArgumentsDoneEvent",
    "ResponseImageGenCallCompletedEvent",
    "ResponseImageGenCallGeneratingEvent",
    "ResponseImageGenCallInProgressEvent",
    "ResponseImageGenCallPartialImageEvent",
    "ResponseInProgressEvent",
    "ResponseIncompleteEvent",
    "ResponseMcpCallArgumentsDeltaEvent",
    "ResponseMcpCallArgumentsDoneEvent",
    "ResponseMcpCallCompletedEvent",
    "ResponseMcpCallFailedEvent",
    "ResponseMcpCallInProgressEvent",
    "ResponseMcpListToolsCompletedEvent",
    "ResponseMcpListToolsFailedEvent",
    "ResponseMcpListToolsInProgressEvent",
    "ResponseOutputItemAddedEvent",
    "ResponseOutputItemDoneEvent",
    "ResponseOutputTextAnnotationAddedEvent",
    "ResponseQueuedEvent",
    "ResponseReasoningSummaryPartAddedEvent",
    "ResponseReasoningSummaryPartDoneEvent",
    "ResponseReasoningSummaryTextDeltaEvent",
    "ResponseReasoningSummaryTextDoneEvent",
    "ResponseReasoningTextDeltaEvent",
    "ResponseReasoningTextDoneEvent",
    "ResponseRefusalDeltaEvent",
    "ResponseRefusalDoneEvent",
    "ResponseShellCallCommandAddedEvent",
    "ResponseShellCallCommandDeltaEvent",
    "ResponseShellCallCommandDoneEvent",
    "ResponseShellCallOutputContentDeltaEvent",
    "ResponseShellCallOutputContentDoneEvent",
    "ResponseTextDeltaEvent",
    "ResponseTextDoneEvent",
    "ResponseWebSearchCallCompletedEvent",
    "ResponseWebSearchCallInProgressEvent",
    "ResponseWebSearchCallSearchingEvent",
]


class _Event(ResponsesStreamEvent, kw_only=True, dict=True):
    sequence_number: int = 0


class _ItemEvent(_Event, kw_only=True, dict=True):
    item_id: str = ""
    output_index: int = 0


class _ContentEvent(_ItemEvent, kw_only=True, dict=True):
    content_index: int = 0


class _SummaryEvent(_ItemEvent, kw_only=True, dict=True):
    summary_index: int = 0


class _CommandEvent(_Event, kw_only=True, dict=True):
    output_index: int = 0
    command_index: int = 0


class ResponseCreatedEvent(_Event, kw_only=True, dict=True):
    """The response has been created; `response` has what is known of it."""

    type: Optional[str] = always("response.created")


class ResponseQueuedEvent(_Event, kw_only=True, dict=True):
    """The response waits for its turn."""

    type: Optional[str] = always("response.queued")


class ResponseInProgressEvent(_Event, kw_only=True, dict=True):
    """The model is at work."""

    type: Optional[str] = always("response.in_progress")


class ResponseCompletedEvent(_Event, kw_only=True, dict=True):
    """The end: `response` is the whole response."""

    type: Optional[str] = always("response.completed")


class ResponseFailedEvent(_Event, kw_only=True, dict=True):
    """The end, without a response: `response["error"]` says why."""

    type: Optional[str] = always("response.failed")


class ResponseIncompleteEvent(_Event, kw_only=True, dict=True):
    """The end, before the response was whole: `response["incomplete_details"]` says why."""

    type: Optional[str] = always("response.incomplete")


class ResponseErrorEvent(_Event, kw_only=True, dict=True):
    """Something went wrong; what follows, if anything does, is not the whole response.

    Fields:
        param: the parameter of the request that is at fault.
    """

    type: Optional[str] = always("error")
    code: Optional[str] = None
    message: str = ""
    param: Optional[str] = None


class ResponseOutputItemAddedEvent(_Event, kw_only=True, dict=True):
    """An item of the output begins.

    Fields:
        item: as far as it is known, with its `type` and `id`.
    """

    type: Optional[str] = always("response.output_item.added")
    output_index: int = 0
    item: dict[str, Any] = msgspec.field(default_factory=dict)


class ResponseOutputItemDoneEvent(_Event, kw_only=True, dict=True):
    """An item of the output is whole."""

    type: Optional[str] = always("response.output_item.done")
    output_index: int = 0
    item: dict[str, Any] = msgspec.field(default_factory=dict)


class ResponseContentPartAddedEvent(_ContentEvent, kw_only=True, dict=True):
    """A part of a message or of the reasoning begins.

    Fields:
        part: of type "output_text", "refusal" or "reasoning_text".
    """

    type: Optional[str] = always("response.content_part.added")
    part: dict[str, Any] = msgspec.field(default_factory=dict)


class ResponseContentPartDoneEvent(_ContentEvent, kw_only=True, dict=True):
    """A part of a message or of the reasoning is whole."""

    type: Optional[str] = always("response.content_part.done")
    part: dict[str, Any] = msgspec.field(default_factory=dict)


class ResponseTextDeltaEvent(_ContentEvent, kw_only=True, dict=True):
    """The next piece of the response's text."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"delta"}))

    type: Optional[str] = always("response.output_text.delta")
    delta: str = ""
    logprobs: list[dict[str, Any]] = msgspec.field(default_factory=list)


class ResponseTextDoneEvent(_ContentEvent, kw_only=True, dict=True):
    """The text of one part, whole."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"text"}))

    type: Optional[str] = always("response.output_text.done")
    text: str = ""
    logprobs: list[dict[str, Any]] = msgspec.field(default_factory=list)


class ResponseOutputTextAnnotationAddedEvent(_ContentEvent, kw_only=True, dict=True):
    """A citation or the like, for a part of the text.

    Fields:
        annotation: of type "file_citation", "url_citation", "file_path" or another.
    """

    type: Optional[str] = always("response.output_text.annotation.added")
    annotation_index: int = 0
    annotation: Optional[dict[str, Any]] = None


class ResponseRefusalDeltaEvent(_ContentEvent, kw_only=True, dict=True):
    """The next piece of why the model will not answer."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"delta"}))

    type: Optional[str] = always("response.refusal.delta")
    delta: str = ""


class ResponseRefusalDoneEvent(_ContentEvent, kw_only=True, dict=True):
    """Why the model will not answer, whole."""

    type: Optional[str] = always("response.refusal.done")
    refusal: str = ""


class ResponseReasoningTextDeltaEvent(_ContentEvent, kw_only=True, dict=True):
    """The next piece of the reasoning itself."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"delta"}))

    type: Optional[str] = always("response.reasoning_text.delta")
    delta: str = ""


class ResponseReasoningTextDoneEvent(_ContentEvent, kw_only=True, dict=True):
    """The reasoning itself, whole."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"text"}))

    type: Optional[str] = always("response.reasoning_text.done")
    text: str = ""


class ResponseReasoningSummaryPartAddedEvent(_SummaryEvent, kw_only=True, dict=True):
    """A part of the summary of the reasoning begins."""

    type: Optional[str] = always("response.reasoning_summary_part.added")
    part: dict[str, Any] = msgspec.field(default_factory=dict)


class ResponseReasoningSummaryPartDoneEvent(_SummaryEvent, kw_only=True, dict=True):
    """A part of the summary of the reasoning is over.

    Fields:
        status: "incomplete" where it was cut off.
    """

    type: Optional[str] = always("response.reasoning_summary_part.done")
    part: dict[str, Any] = msgspec.field(default_factory=dict)
    status: Optional[str] = None


class ResponseReasoningSummaryTextDeltaEvent(_SummaryEvent, kw_only=True, dict=True):
    """The next piece of the summary of the reasoning."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"delta"}))

    type: Optional[str] = always("response.reasoning_summary_text.delta")
    delta: str = ""


class ResponseReasoningSummaryTextDoneEvent(_SummaryEvent, kw_only=True, dict=True):
    """One part of the summary of the reasoning, whole."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"text"}))

    type: Optional[str] = always("response.reasoning_summary_text.done")
    text: str = ""


class ResponseFunctionCallArgumentsDeltaEvent(_ItemEvent, kw_only=True, dict=True):
    """The next piece of the JSON text with a function's arguments."""

    type: Optional[str] = always("response.function_call_arguments.delta")
    delta: str = ""


class ResponseFunctionCallArgumentsDoneEvent(_ItemEvent, kw_only=True, dict=True):
    """The JSON text with a function's arguments, whole."""

    type: Optional[str] = always("response.function_call_arguments.done")
    arguments: str = ""


class ResponseCustomToolCallInputDeltaEvent(_ItemEvent, kw_only=True, dict=True):
    """The next piece of what a custom tool is given."""

    type: Optional[str] = always("response.custom_tool_call_input.delta")
    delta: str = ""


class ResponseCustomToolCallInputDoneEvent(_ItemEvent, kw_only=True, dict=True):
    """What a custom tool is given, whole."""

    type: Optional[str] = always("response.custom_tool_call_input.done")
    input: str = ""


class ResponseFileSearchCallInProgressEvent(_ItemEvent, kw_only=True, dict=True):
    """A search in files begins."""

    type: Optional[str] = always("response.file_search_call.in_progress")


class ResponseFileSearchCallSearchingEvent(_ItemEvent, kw_only=True, dict=True):
    """A search in files is going on."""

    type: Optional[str] = always("response.file_search_call.searching")


class ResponseFileSearchCallCompletedEvent(_ItemEvent, kw_only=True, dict=True):
    """A search in files is done."""

    type: Optional[str] = always("response.file_search_call.completed")


class ResponseWebSearchCallInProgressEvent(_ItemEvent, kw_only=True, dict=True):
    """A search of the web begins."""

    type: Optional[str] = always("response.web_search_call.in_progress")


class ResponseWebSearchCallSearchingEvent(_ItemEvent, kw_only=True, dict=True):
    """A search of the web is going on."""

    type: Optional[str] = always("response.web_search_call.searching")


class ResponseWebSearchCallCompletedEvent(_ItemEvent, kw_only=True, dict=True):
    """A search of the web is done."""

    type: Optional[str] = always("response.web_search_call.completed")


class ResponseCodeInterpreterCallInProgressEvent(_ItemEvent, kw_only=True, dict=True):
    """A call of the code interpreter begins."""

    type: Optional[str] = always("response.code_interpreter_call.in_progress")


class ResponseCodeInterpreterCallInterpretingEvent(_ItemEvent, kw_only=True, dict=True):
    """The code interpreter is at work."""

    type: Optional[str] = always("response.code_interpreter_call.interpreting")


class ResponseCodeInterpreterCallCompletedEvent(_ItemEvent, kw_only=True, dict=True):
    """A call of the code interpreter is done."""

    type: Optional[str] = always("response.code_interpreter_call.completed")


class ResponseCodeInterpreterCallCodeDeltaEvent(_ItemEvent, kw_only=True, dict=True):
    """The next piece of the code to run."""

    type: Optional[str] = always("response.code_interpreter_call_code.delta")
    delta: str = ""


class ResponseCodeInterpreterCallCodeDoneEvent(_ItemEvent, kw_only=True, dict=True):
    """The code to run, whole."""

    type: Optional[str] = always("response.code_interpreter_call_code.done")
    code: str = ""


class ResponseImageGenCallInProgressEvent(_ItemEvent, kw_only=True, dict=True):
    """The making of an image begins."""

    type: Optional[str] = always("response.image_generation_call.in_progress")


class ResponseImageGenCallGeneratingEvent(_ItemEvent, kw_only=True, dict=True):
    """An image is being made."""

    type: Optional[str] = always("response.image_generation_call.generating")


class ResponseImageGenCallPartialImageEvent(_ItemEvent, kw_only=True, dict=True):
    """An image as far as it is made.

    Fields:
        partial_image_b64: the image in base64.
        partial_image_index: counts from 0.
    """

    type: Optional[str] = always("response.image_generation_call.partial_image")
    partial_image_b64: str = ""
    partial_image_index: int = 0
    size: Optional[str] = None
    quality: Optional[str] = None
    background: Optional[str] = None
    output_format: Optional[str] = None


class ResponseImageGenCallCompletedEvent(_ItemEvent, kw_only=True, dict=True):
    """An image is made; it is in the item."""

    type: Optional[str] = always("response.image_generation_call.completed")


class ResponseMcpCallArgumentsDeltaEvent(_ItemEvent, kw_only=True, dict=True):
    """The next piece of the JSON text with an MCP tool's arguments."""

    type: Optional[str] = always("response.mcp_call_arguments.delta")
    delta: str = ""


class ResponseMcpCallArgumentsDoneEvent(_ItemEvent, kw_only=True, dict=True):
    """The JSON text with an MCP tool's arguments, whole."""

    type: Optional[str] = always("response.mcp_call_arguments.done")
    arguments: str = ""


class ResponseMcpCallInProgressEvent(_ItemEvent, kw_only=True, dict=True):
    """A call of an MCP tool begins."""

    type: Optional[str] = always("response.mcp_call.in_progress")


class ResponseMcpCallCompletedEvent(_ItemEvent, kw_only=True, dict=True):
    """A call of an MCP tool is done."""

    type: Optional[str] = always("response.mcp_call.completed")


class ResponseMcpCallFailedEvent(_ItemEvent, kw_only=True, dict=True):
    """A call of an MCP tool has failed; the response goes on."""

    type: Optional[str] = always("response.mcp_call.failed")


class ResponseMcpListToolsInProgressEvent(_ItemEvent, kw_only=True, dict=True):
    """An MCP server is asked for its tools."""

    type: Optional[str] = always("response.mcp_list_tools.in_progress")


class ResponseMcpListToolsCompletedEvent(_ItemEvent, kw_only=True, dict=True):
    """An MCP server has told its tools."""

    type: Optional[str] = always("response.mcp_list_tools.completed")


class ResponseMcpListToolsFailedEvent(_ItemEvent, kw_only=True, dict=True):
    """An MCP server has not told its tools; the response goes on."""

    type: Optional[str] = always("response.mcp_list_tools.failed")


class ResponseShellCallCommandAddedEvent(_CommandEvent, kw_only=True, dict=True):
    """A command for the shell begins."""

    type: Optional[str] = always("response.shell_call_command.added")
    command: str = ""


class ResponseShellCallCommandDeltaEvent(_CommandEvent, kw_only=True, dict=True):
    """The next piece of a command for the shell."""

    type: Optional[str] = always("response.shell_call_command.delta")
    delta: str = ""


class ResponseShellCallCommandDoneEvent(_CommandEvent, kw_only=True, dict=True):
    """A command for the shell, whole."""

    type: Optional[str] = always("response.shell_call_command.done")
    command: str = ""


class ResponseShellCallOutputContentDeltaEvent(_CommandEvent, kw_only=True, dict=True):
    """The next piece of what a command wrote.

    Fields:
        delta: `stdout`, `stderr`, or both.
    """

    type: Optional[str] = always("response.shell_call_output_content.delta")
    item_id: str = ""
    delta: dict[str, Any] = msgspec.field(default_factory=dict)


class ResponseShellCallOutputContentDoneEvent(_CommandEvent, kw_only=True, dict=True):
    """What a command wrote, whole.

    Fields:
        output: `stdout`, `stderr`, and in `outcome` how it ended.
    """

    type: Optional[str] = always("response.shell_call_output_content.done")
    item_id: str = ""
    output: list[dict[str, Any]] = msgspec.field(default_factory=list)


class ResponseAudioDeltaEvent(_Event, kw_only=True, dict=True):
    """The next piece of the spoken answer.

    Fields:
        delta: audio in base64.
    """

    type: Optional[str] = always("response.audio.delta")
    delta: str = ""


class ResponseAudioDoneEvent(_Event, kw_only=True, dict=True):
    """The spoken answer is over."""

    type: Optional[str] = always("response.audio.done")


class ResponseAudioTranscriptDeltaEvent(_Event, kw_only=True, dict=True):
    """The next piece of the spoken answer as text."""

    type: Optional[str] = always("response.audio.transcript.delta")
    delta: str = ""


class ResponseAudioTranscriptDoneEvent(_Event, kw_only=True, dict=True):
    """The spoken answer as text is over."""

    type: Optional[str] = always("response.audio.transcript.done")


class ResponseCompactionCompactingEvent(_ItemEvent, kw_only=True, dict=True):
    """What was said before is being made shorter."""

    type: Optional[str] = always("response.compaction.compacting")


EVENTS: Final[dict[str, type[ResponsesStreamEvent]]] = {
    "response.created": ResponseCreatedEvent,
    "response.queued": ResponseQueuedEvent,
    "response.in_progress": ResponseInProgressEvent,
    "response.completed": ResponseCompletedEvent,
    "response.failed": ResponseFailedEvent,
    "response.incomplete": ResponseIncompleteEvent,
    "error": ResponseErrorEvent,
    "response.output_item.added": ResponseOutputItemAddedEvent,
    "response.output_item.done": ResponseOutputItemDoneEvent,
    "response.content_part.added": ResponseContentPartAddedEvent,
    "response.content_part.done": ResponseContentPartDoneEvent,
    "response.output_text.delta": ResponseTextDeltaEvent,
    "response.output_text.done": ResponseTextDoneEvent,
    "response.output_text.annotation.added": ResponseOutputTextAnnotationAddedEvent,
    "response.refusal.delta": ResponseRefusalDeltaEvent,
    "response.refusal.done": ResponseRefusalDoneEvent,
    "response.reasoning_text.delta": ResponseReasoningTextDeltaEvent,
    "response.reasoning_text.done": ResponseReasoningTextDoneEvent,
    "response.reasoning_summary_part.added": ResponseReasoningSummaryPartAddedEvent,
    "response.reasoning_summary_part.done": ResponseReasoningSummaryPartDoneEvent,
    "response.reasoning_summary_text.delta": ResponseReasoningSummaryTextDeltaEvent,
    "response.reasoning_summary_text.done": ResponseReasoningSummaryTextDoneEvent,
    "response.function_call_arguments.delta": ResponseFunctionCallArgumentsDeltaEvent,
    "response.function_call_arguments.done": ResponseFunctionCallArgumentsDoneEvent,
    "response.custom_tool_call_input.delta": ResponseCustomToolCallInputDeltaEvent,
    "response.custom_tool_call_input.done": ResponseCustomToolCallInputDoneEvent,
    "response.file_search_call.in_progress": ResponseFileSearchCallInProgressEvent,
    "response.file_search_call.searching": ResponseFileSearchCallSearchingEvent,
    "response.file_search_call.completed": ResponseFileSearchCallCompletedEvent,
    "response.web_search_call.in_progress": ResponseWebSearchCallInProgressEvent,
    "response.web_search_call.searching": ResponseWebSearchCallSearchingEvent,
    "response.web_search_call.completed": ResponseWebSearchCallCompletedEvent,
    "response.code_interpreter_call.in_progress": ResponseCodeInterpreterCallInProgressEvent,
    "response.code_interpreter_call.interpreting": ResponseCodeInterpreterCallInterpretingEvent,
    "response.code_interpreter_call.completed": ResponseCodeInterpreterCallCompletedEvent,
    "response.code_interpreter_call_code.delta": ResponseCodeInterpreterCallCodeDeltaEvent,
    "response.code_interpreter_call_code.done": ResponseCodeInterpreterCallCodeDoneEvent,
    "response.image_generation_call.in_progress": ResponseImageGenCallInProgressEvent,
    "response.image_generation_call.generating": ResponseImageGenCallGeneratingEvent,
    "response.image_generation_call.partial_image": ResponseImageGenCallPartialImageEvent,
    "response.image_generation_call.completed": ResponseImageGenCallCompletedEvent,
    "response.mcp_call_arguments.delta": ResponseMcpCallArgumentsDeltaEvent,
    "response.mcp_call_arguments.done": ResponseMcpCallArgumentsDoneEvent,
    "response.mcp_call.in_progress": ResponseMcpCallInProgressEvent,
    "response.mcp_call.completed": ResponseMcpCallCompletedEvent,
    "response.mcp_call.failed": ResponseMcpCallFailedEvent,
    "response.mcp_list_tools.in_progress": ResponseMcpListToolsInProgressEvent,
    "response.mcp_list_tools.completed": ResponseMcpListToolsCompletedEvent,
    "response.mcp_list_tools.failed": ResponseMcpListToolsFailedEvent,
    "response.shell_call_command.added": ResponseShellCallCommandAddedEvent,
    "response.shell_call_command.delta": ResponseShellCallCommandDeltaEvent,
    "response.shell_call_command.done": ResponseShellCallCommandDoneEvent,
    "response.shell_call_output_content.delta": ResponseShellCallOutputContentDeltaEvent,
    "response.shell_call_output_content.done": ResponseShellCallOutputContentDoneEvent,
    "response.audio.delta": ResponseAudioDeltaEvent,
    "response.audio.done": ResponseAudioDoneEvent,
    "response.audio.transcript.delta": ResponseAudioTranscriptDeltaEvent,
    "response.audio.transcript.done": ResponseAudioTranscriptDoneEvent,
    "response.compaction.compacting": ResponseCompactionCompactingEvent,
}
"""The class of each type of event."""
